"""Searches an index: the best moments of each partition, and then Spark's own sort."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from spark_keyframes.arrow.columns import AddedColumns, IndexColumns, Wanted
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.errors import ParameterError
from spark_keyframes.index import Question
from spark_keyframes.schema import spark_type
from spark_keyframes.spark.columns import (
    column,
    name_key,
    place_in,
    plan_dataframe,
    without_names,
)
from spark_keyframes.spark.interpreter import shipped, use_own_python
from spark_keyframes.spark.resources import task_resources
from spark_keyframes.spark.search_stage import HIT_TYPES, SearchStage
from spark_keyframes.spark.text_embeddings import embed_texts
from spark_keyframes.spark.versions import has_function, has_profiles, warn_of_large_batches

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# To sort with a limit, Spark allocates room for that many rows, whether they exist or not.
_TOP_OF_SPARK = 100_000
_MOST_ROWS = 2**31 - 1  # of row_number()


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
    plan = plan_dataframe(index, Wanted(added=AddedColumns(), index=columns))
    added = [name for name in HIT_TYPES if several or name != "text"]
    key = name_key(index.sparkSession)
    if taken := [name for name in plan.passed if key(name) in map(key, added)]:
        raise ParameterError(
            f"the index has a column called {taken[0]!r}, as one of a moment's is; rename or drop "
            "it first"
        )
    spark, profiles = index.sparkSession, has_profiles(index)
    profile = task_resources(spark, cpus=cpus, gpus=gpus, profiles=profiles).profile
    use_own_python(spark)
    asked, embeddings = embed_texts(spark, pipeline, question.texts, profile)
    asked = replace(asked, dimensions=len(embeddings[0]))
    is_scored = has_function(spark, "vector_inner_product")
    stage = SearchStage(
        question=question,
        asked=asked,
        embeddings=embeddings,
        min_score=pipeline.parameters.min_score,
        is_scored=is_scored,
        added=added,
    )
    others = [column(name) for name in plan.passed]
    names = cast(IndexColumns, plan.index)
    info, candidates = column(names.info), column(names.candidates)
    if is_scored:
        read = [
            candidates["frame_id"],
            candidates["timestamp"],
            _scores(candidates["embedding"], embeddings),
        ]
    else:
        warn_of_large_batches(spark)
        read = [candidates]
    schema = StructType([index.schema[name] for name in plan.passed])
    for name in added:
        schema = schema.add(name, spark_type(HIT_TYPES[name]))
    rows = without_names(index.select(info, *read, *others))
    found = rows.mapInArrow(shipped(stage), schema)
    best = [sf.col("score").desc(), sf.col("frame_id")]
    if not several and question.limit <= _TOP_OF_SPARK:
        return found.orderBy(*best).limit(question.limit)
    number = "spark_keyframes_number"
    texts = sf.array(*map(sf.lit, question.texts))
    place = [place_in(texts, sf.col("text"))] if several else []
    ranked = found.withColumn(
        number, sf.row_number().over(Window.partitionBy(*place).orderBy(*best))
    )
    limit = min(question.limit, _MOST_ROWS)
    return ranked.where(sf.col(number) <= limit).orderBy(*place, number).drop(number)


def _scores(rows: "Column", embeddings: list[list[float]]) -> "Column":
    """Return the scores for each text, array<array<float>>, computed by Spark itself.

    Null where the rows are not as long as the embeddings of the texts.

    To send the embeddings to Python takes twice as long as to read them.
    """
    from pyspark.sql import functions as sf

    def of_text(text: list[float]) -> "Column":
        # One literal: hundreds of them take Spark half a second to plan.
        vector = sf.split(sf.lit(",".join(map(repr, text))), ",").cast("array<float>")
        return sf.transform(
            rows,
            lambda row: sf.call_function("vector_inner_product", row, vector),
        )

    size = sf.lit(len(embeddings[0]))
    fits = sf.coalesce(sf.array_size(sf.get(rows, sf.lit(0))), size) == size
    return sf.when(fits, sf.array(*map(of_text, embeddings)))
