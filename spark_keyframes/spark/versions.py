"""What Spark has or lacks, by version and on Connect: each difference is dealt with here.

Asked of what is there, not of a version's number. What is lacking is done without, and said once in
a process, on the driver; docs/versions.md has the whole list.
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

logger = logging.getLogger(__name__)

_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
_ROWS_DEFAULT = "10000"
_MANY_VIDEOS = 64
"""in memory at once: with 50 MB each, 3 GB"""


@functools.cache
def warn_once(message: str) -> None:
    """Log a warning, each one once in this process."""
    logger.warning("%s", message)


def is_connect(spark: "SparkSession") -> bool:
    """Whether a session is one of Spark Connect: its JVM is elsewhere."""
    return type(spark).__module__.startswith("pyspark.sql.connect")


def active_session() -> "SparkSession | None":
    """The session of this thread; None: there is none yet."""
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def has_profiles(videos: "DataFrame") -> bool:
    """Whether a stage of a DataFrame can have resources of its own; since Spark 4.0."""
    return "profile" in inspect.signature(videos.mapInArrow).parameters


def has_arrow_udf() -> bool:
    """Whether there are UDFs of Arrow arrays; since Spark 4.1."""
    from pyspark.sql.pandas import functions

    return hasattr(functions, "arrow_udf")


def warn_of_large_batches(spark: "SparkSession") -> None:
    """For videos in rows: say what to set where nothing bounds the bytes that come at once.

    Spark 3.5 bounds their rows alone, which are 10,000 unless it is told otherwise.
    """
    if spark.conf.isModifiable(_BYTES):
        return
    rows = int(spark.conf.get(_ROWS, None) or _ROWS_DEFAULT)
    if rows > _MANY_VIDEOS or rows <= 0:  # 0 and less: no limit
        warn_once(
            f"this Spark hands {rows if rows > 0 else 'any number of'} videos to Python at once, "
            f"however large they are; set {_ROWS} so that as many fit the memory of a task: "
            "64 for 10 MB each, 8 for 100 MB. Spark 4 bounds their bytes too"
        )


def check_observations(spark: "SparkSession") -> None:
    """Raise ParameterError where this client of Connect cannot read an Observation; before 4.0.

    It would say so only when the work is done.
    """
    if is_connect(spark) and find_spec("pyspark.sql.connect.observation") is None:
        raise ParameterError(
            "the job counts what passes by with an Observation, which this pyspark cannot read "
            "over Connect; use pyspark 4.0 or newer in the client, or spark-submit"
        )


def streamed_metrics(row: "Row") -> dict[str, Any]:
    """What a streaming query has observed, from `query.lastProgress["observedMetrics"][name]`.

    By its names: over Connect, Spark 4 gives values and schema as two fields of the row.
    """
    values = row.asDict()
    if set(values) == {"values", "schema"}:
        names = [field["name"] for field in values["schema"]["fields"]]
        return dict(zip(names, values["values"], strict=True))
    return values


def condition_of(error: Exception) -> str:
    """The name of Spark's error condition, such as PATH_NOT_FOUND; "" where there is none.

    From the text, which begins with it in all versions: the method has changed its name.
    """
    found = re.match(r"\s*\[([A-Z0-9_.]+)\]", str(error))
    return found[1] if found else ""


def frame_of(spark: "SparkSession", table: "pa.Table") -> "DataFrame":
    """A DataFrame of a table of Arrow; Spark 3.5 takes none."""
    from pyspark.sql import DataFrame
    from pyspark.sql.pandas.types import from_arrow_schema

    if hasattr(DataFrame, "toArrow"):  # there since Spark takes tables of Arrow
        return spark.createDataFrame(table)
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return spark.createDataFrame(rows, from_arrow_schema(table.schema))


def default_parallelism(spark: "SparkSession") -> int:
    """The number of tasks that run at once, as far as Spark knows."""
    if not is_connect(spark):
        return int(spark.sparkContext.defaultParallelism)
    from pyspark.sql import functions as sf

    # A range has as many partitions, and of that Connect tells nothing else.
    numbers = spark.range(2**16).select(sf.spark_partition_id().alias("number"))
    (last,) = numbers.agg(sf.max("number")).first() or (0,)
    return int(last) + 1
