"""Handles the differences between versions of Spark, and those of Spark Connect.

Features are detected, not inferred from the version number. A missing one is worked around, with
one warning per process on the driver, or refused. docs/versions.md lists them all.
"""

import functools
import inspect
import logging
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import ParameterError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, Row, SparkSession
    from pyspark.sql.types import DataType

logger = logging.getLogger("spark_keyframes")

_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
_PIPELINED = "spark.python.udf.pipelined.enabled"
_ROWS_DEFAULT = "10000"
_MANY_VIDEOS = 64
"""videos in memory at once; with 50 MB each, 3 GB"""


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning, once in this process for each message."""
    logger.warning("%s", message)


def is_connect(spark: "SparkSession") -> bool:
    """Return whether the session is one of Spark Connect, without a JVM in this process."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def active_session() -> "SparkSession | None":
    """Return the session of this thread, or None where there is none yet."""
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def has_profiles(videos: "DataFrame") -> bool:
    """Return whether `mapInArrow` takes a resource profile (Spark 4.0 and later)."""
    return "profile" in inspect.signature(videos.mapInArrow).parameters


def has_arrow_udf() -> bool:
    """Return whether there are UDFs of Arrow arrays (Spark 4.1 and later)."""
    from pyspark.sql.pandas import functions

    return hasattr(functions, "arrow_udf")


def has_function(spark: "SparkSession", name: str) -> bool:
    """Return whether Spark, or the server of a Connect session, has this function of SQL."""
    return spark.catalog.functionExists(name)


def arrow_refusal(kind: "DataType") -> str:
    """Return why Arrow functions of this Spark cannot take the type, or "" where they can."""
    from pyspark.errors import PySparkException
    from pyspark.sql.pandas.types import to_arrow_type

    # Spark 3.5 has neither, and not all later versions have both.
    options: dict[str, Any] = {"error_on_duplicated_field_names_in_struct": True, "timezone": "UTC"}
    known = inspect.signature(to_arrow_type).parameters
    try:
        to_arrow_type(kind, **{name: value for name, value in options.items() if name in known})
    except (PySparkException, ValueError) as error:
        return str(error)
    return ""


def warn_of_large_batches(spark: "SparkSession") -> None:
    """Warn once where Spark bounds an input batch by rows only, for videos or indexes in rows.

    Spark 3.5 has no limit in bytes, and a default of 10,000 rows.
    """
    if spark.conf.isModifiable(_BYTES):
        return
    rows = int(spark.conf.get(_ROWS, None) or _ROWS_DEFAULT)
    if rows > _MANY_VIDEOS or rows <= 0:  # 0 or less means no limit
        warn_once(
            f"this Spark sends {rows if rows > 0 else 'any number of'} rows to Python at once, "
            f"whatever their size; set {_ROWS} so that they fit the memory of a task, e.g. 64 for "
            "videos or indexes of 10 MB, 8 for 100 MB. Spark 4 limits the bytes too"
        )


def warn_of_pipelined_transfer(spark: "SparkSession") -> None:
    """Warn once where Spark 4.3 writes the rows of a stage to Python in a thread of its own.

    It interrupts that thread when a task ends, which at times closes the socket of a worker that
    waits for its next task already. That task fails with a ClosedChannelException.
    """
    if spark.conf.get(_PIPELINED, "false") == "true":
        warn_once(
            f"{_PIPELINED} is true: in Spark 4.3.0, a task after it can fail with a "
            "ClosedChannelException, and on local[n] the whole job does; leave it false"
        )


def check_observations(spark: "SparkSession") -> None:
    """Check that this client can read an Observation; over Connect, those before 4.0 cannot.

    Without the check, the error would come only after the work is done.

    Raises:
        ParameterError: it cannot.
    """
    if is_connect(spark) and find_spec("pyspark.sql.connect.observation") is None:
        raise ParameterError(
            "the job counts videos with an Observation, which this pyspark cannot read over "
            "Connect; use pyspark 4.0 or newer in the client, or spark-submit"
        )


def streamed_metrics(row: "Row") -> dict[str, Any]:
    """Return the metrics of a streaming query by their names.

    Args:
        row: `query.lastProgress["observedMetrics"][name]`. A classic session gives the metrics as
            fields of this row. Over Connect, Spark 4 gives them as the fields `values` and
            `schema`.
    """
    values = row.asDict()
    if set(values) == {"values", "schema"}:
        names = [field["name"] for field in values["schema"]["fields"]]
        return dict(zip(names, values["values"], strict=True))
    return values


def condition_of(error: Exception) -> str:
    """Return the name of Spark's error condition, such as PATH_NOT_FOUND, or "".

    It is parsed from the message, since the method for it has another name in each version.
    """
    found = re.match(r"\s*\[([A-Z0-9_.]+)\]", str(error))
    return found[1] if found else ""


def frame_of(spark: "SparkSession", table: "pa.Table") -> "DataFrame":
    """Return a DataFrame of an Arrow table, also in Spark 3.5, whose createDataFrame takes none."""
    from pyspark.sql import DataFrame
    from pyspark.sql.pandas.types import from_arrow_schema

    if hasattr(DataFrame, "toArrow"):  # since 4.0, as is createDataFrame of an Arrow table
        return spark.createDataFrame(table)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return spark.createDataFrame(rows, from_arrow_schema(table.schema))


def default_parallelism(spark: "SparkSession") -> int:
    """Return how many tasks run at once, as far as Spark knows."""
    if not is_connect(spark):
        return int(spark.sparkContext.defaultParallelism)
    from pyspark.sql import functions as sf

    # Connect does not report the number, but a range has as many partitions.
    numbers = spark.range(2**16).select(sf.spark_partition_id().alias("number"))
    (last,) = numbers.agg(sf.max("number")).first() or (0,)
    return int(last) + 1
