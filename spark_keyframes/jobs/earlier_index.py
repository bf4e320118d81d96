"""Compares a job that writes an index with the rows that its table has already."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from spark_keyframes.arrow.columns import INDEX_TYPES
from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.earlier_rows import check_same_cells
from spark_keyframes.jobs.table import Table
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.schema import KEYFRAMES_DDL, spark_type
from spark_keyframes.spark.columns import name_key
from spark_keyframes.spark.model_in_workers import model_in_workers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType


def check_index_columns(
    stored: "StructType",
    table: Table,
    spark: "SparkSession",
    *,
    candidates_col: str | None,
    info_col: str,
) -> None:
    """Raise ParameterError where only one of the job and its table has an index.

    Args:
        stored: the columns of the table.
        table: that the job adds rows to.
        spark: the session.
        candidates_col: of the job; None: it makes no index.
        info_col: of the job.
    """
    key = name_key(spark)
    types = {key(field.name): field.dataType.simpleString() for field in stored.fields}
    for name in (candidates_col, info_col) if candidates_col else ():
        if key(name) not in types:
            raise ParameterError(
                f"{table} has no column {name!r}, so that its videos have no index of this name; "
                "use another table for an index"
            )
    index_type = spark_type(INDEX_TYPES[0]).simpleString()
    indexes = [name for name, kind in types.items() if kind == index_type]
    if indexes and candidates_col is None:
        raise ParameterError(
            f"{table} has an index in the column {indexes[0]!r}, which new rows would lack; give "
            "`candidates_col`, or use another table"
        )


def check_no_keyframes(stored: "StructType", table: Table, videos: "DataFrame") -> None:
    """Raise ParameterError where a table has keyframes, which new rows of an index would lack.

    Args:
        stored: the columns of the table.
        table: that the job adds rows to.
        videos: the job's. A column that they bring along is not lacking.
    """
    key = name_key(videos.sparkSession)
    passed = set(map(key, videos.columns))
    one = spark_type(f"struct<{KEYFRAMES_DDL}>").simpleString()
    for field in stored.fields:
        if (
            field.dataType.simpleString() in (one, f"array<{one}>")
            and key(field.name) not in passed
        ):
            raise ParameterError(
                f"{table} has keyframes in the column {field.name!r}, which new rows would lack; "
                "add videos with the job that wrote it, or use another table"
            )


def check_same_index(
    sampler: VideoAdaptiveKeyframesSampling, info_col: str, tables: "Iterable[DataFrame]"
) -> None:
    """Raise ParameterError where an index in these tables was made by other settings.

    Args:
        sampler: of the job.
        info_col: the tables' column for how the index was made; a table of failures has none.
        tables: the rows; those without a value pass.
    """
    found = list(tables)
    if not found:
        return
    module = sampler.make_module()
    now = {
        "model": module.model_name,
        **model_in_workers(found[0].sparkSession, module),
        "fps": sampler.fps,
        "video_stream": sampler.video_stream,
    }
    check_same_cells(found, info_col, now)
