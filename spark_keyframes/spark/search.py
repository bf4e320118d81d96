"""Searches an index: the best moments of each partition, and then Spark's own sort."""

from typing import TYPE_CHECKING

from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.errors import ParameterError
from spark_keyframes.index import Question
from spark_keyframes.schema import spark_type
from spark_keyframes.spark.columns import (
    AddedColumns,
    IndexColumns,
    name_key,
    plan_columns,
    without_names,
)
from spark_keyframes.spark.interpreter import shipped, use_own_python
from spark_keyframes.spark.resources import task_resources
from spark_keyframes.spark.search_stage import HIT_TYPES, SearchStage
from spark_keyframes.spark.versions import has_profiles, warn_of_large_batches

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def search_index(
    index: "DataFrame",
    columns: IndexColumns,
    question: Question,
    pipeline: Pipeline,
    *,
    several: bool,
    cpus: int | None,
    gpus: int | None,
) -> "DataFrame":
    """Return the best moments, best first; see `VideoAdaptiveKeyframesSampling.search`."""
    from pyspark.sql import Window
    from pyspark.sql import functions as sf
    from pyspark.sql.types import StructType

    if index.isStreaming:
        raise ParameterError(
            "search() sorts all moments, which Spark cannot do for a stream; search the table that "
            "the stream writes"
        )
    plan = plan_columns(
        index,
        input_col=None,
        added=AddedColumns(),
        video_src_type=pipeline.parameters.video_src_type,
        keep_video=True,
        index=columns,
    )
    added = [name for name in HIT_TYPES if several or name != "text"]
    key = name_key(index.sparkSession)
    if taken := [name for name in plan.passed if key(name) in map(key, added)]:
        raise ParameterError(
            f"the index has a column called {taken[0]!r}, as one of a moment's is; rename or drop "
            "it first"
        )
    spark, profiles = index.sparkSession, has_profiles(index)
    resources = task_resources(spark, cpus=cpus, gpus=gpus, profiles=profiles)
    use_own_python(spark)
    warn_of_large_batches(spark)
    schema = StructType([index.schema[name] for name in plan.passed])
    for name in added:
        schema = schema.add(name, spark_type(HIT_TYPES[name]))
    stage = shipped(SearchStage(pipeline, plan, question, added))
    rows = without_names(index)
    if resources.profile is None:
        found = rows.mapInArrow(stage, schema)
    else:
        found = rows.mapInArrow(stage, schema, profile=resources.profile)
    best = [sf.col("score").desc(), sf.col("frame_id")]
    if not several:
        return found.orderBy(*best).limit(question.limit)
    number = "spark_keyframes_number"
    place = sf.array_position(sf.array(*map(sf.lit, question.texts)), sf.col("text"))
    ranked = found.withColumn(
        number, sf.row_number().over(Window.partitionBy("text").orderBy(*best))
    )
    return ranked.where(sf.col(number) <= question.limit).orderBy(place, number).drop(number)
