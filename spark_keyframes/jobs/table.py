"""A job's table: reads it, and writes its files in the size and layout asked for."""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spark_keyframes.arrow.columns import INDEX_TYPES
from spark_keyframes.errors import ParameterError
from spark_keyframes.redaction import redact_url
from spark_keyframes.schema import spark_type
from spark_keyframes.spark.columns import actual_name, name_key, quoted
from spark_keyframes.spark.versions import condition_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

# Files in these formats are read with a given schema: Spark would infer a wrong one, or read all
# files for it. Table formats store their schema, and refuse another.
_FILE_FORMATS = ("avro", "csv", "json", "orc", "parquet")

_NO_TABLE = ("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA", "TABLE_OR_VIEW_NOT_FOUND", "DELTA_")

# Shuffle partitions of a rebalance, before Spark joins small ones.
_SHUFFLE_PARTITIONS = 200

# By default Parquet checks its memory every 100 rows: too late for rows of 100 MB.
_LARGE_ROWS = {
    "parquet.page.size.row.check.min": "1",
    "parquet.block.size.row.check.min": "1",
}

# In bytes. Spark reads a row group at once, and the candidates of a day of video are 180 MB.
_INDEX_ROW_GROUP = str(16 * 2**20)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that rows are added to; all rows of a video are in one file.

    Spark publishes a file completely or not at all, even when it is killed. Therefore a video that
    is found in the table is there with all of its rows; `new_rows` relies on this.
    """

    place: str
    """path or URL, or the name in the catalogue"""
    named: bool = False
    """whether `place` is such a name"""
    format: str = "parquet"
    """format of the files or the table: "parquet", "orc", "json", "delta", "iceberg", …"""
    options: Mapping[str, str] = field(default_factory=dict)
    """options of Spark's writer"""
    partition_by: Sequence[str] = ()
    """columns with a folder, or partition, for each of their values"""
    file_bytes: int = 0
    """approximate size of a file; 0: each task writes its own rows"""

    def read(self, spark: "SparkSession", schema: "StructType") -> "DataFrame | None":
        """Return the table's rows, or None where there is no table yet.

        Args:
            spark: the session.
            schema: of the rows to write, for formats that do not store it. Columns that the table
                lacks are null.

        Raises:
            ParameterError: this Spark does not have the format.
        """
        if self.named:
            return spark.table(self.place) if spark.catalog.tableExists(self.place) else None
        reader = spark.read.format(self.format)
        if self.format.lower() in _FILE_FORMATS:
            reader = reader.schema(schema)
        try:
            table = reader.load(self.place)
            table.schema  # noqa: B018 - Connect reads nothing before
            return table
        # For a missing format, Spark 4.3 has no exception of its own, and Connect has another one.
        except Exception as error:
            if "DATA_SOURCE_NOT_FOUND" in str(error):
                raise ParameterError(
                    f"this Spark does not know the format {self.format!r}; add its package, e.g. "
                    "with spark-submit --packages …, see docs/etl.md, or choose parquet"
                ) from error
            if condition_of(error).startswith(_NO_TABLE):
                return None
            raise

    def exists(self, spark: "SparkSession") -> bool:
        """Return whether there is a table, or anything else, at its place."""
        from pyspark.sql.types import StructType

        return self.read(spark, StructType().add("video", "string")) is not None

    def stored_schema(self, spark: "SparkSession") -> "StructType | None":
        """Return the columns that the table has; None where it has none, or in each row others."""
        from pyspark.sql.types import StructType

        if not self.named and self.format.lower() in ("json", "csv"):
            return None
        if self.named or self.format.lower() not in _FILE_FORMATS:
            table = self.read(spark, StructType())
            return None if table is None else table.schema
        try:
            return spark.read.format(self.format).load(self.place).schema
        except Exception as error:
            if condition_of(error).startswith(_NO_TABLE):
                return None
            raise

    def check_partition_columns(self, rows: "DataFrame") -> None:
        """Raise ParameterError where a column of `partition_by` is not among those of the rows."""
        key = name_key(rows.sparkSession)
        names = {key(name) for name in rows.columns}
        for name in self.partition_by:
            if key(name) not in names:
                raise ParameterError(
                    f"`partition_by` {name!r} is not a column of the result; "
                    f"it has {', '.join(rows.columns)}"
                )

    def rebalanced(self, rows: "DataFrame", by: str) -> "DataFrame":
        """Return the rows moved between tasks so that each writes a file of about `file_bytes`.

        Uses Spark's REBALANCE: it measures the rows in the shuffle, joins small partitions and
        divides large ones. Without a column, each task would first sort its rows, images
        included, in memory.

        Args:
            rows: before `explode_keyframes`, which must follow so that the rows of a video stay
                together.
            by: any column; rows with equal values may end up in one file.
        """
        if not self.file_bytes:
            return rows
        columns = [quoted(name) for name in self.partition_by or (by,)]
        if rows.sparkSession.version.startswith("3."):
            # From Python, its hint takes no columns. A repartition only joins small partitions.
            return rows.repartition(*columns)
        return rows.hint("rebalance", _SHUFFLE_PARTITIONS, *columns)

    def save(self, rows: "DataFrame", mode: str) -> None:
        """Write rows; `mode` is Spark's: "error", "overwrite" or "append"."""
        writer = rows.write.format(self.format).mode(mode).options(**self.options)
        if self.partition_by:
            # In the case of the schema: Spark cannot read it in another one.
            writer = writer.partitionBy(*(actual_name(rows, name) for name in self.partition_by))
        # In the session, not as options: a catalogue would store options with the table.
        with _settings_in(rows.sparkSession, self._write_settings(rows.schema)):
            if self.named:
                writer.saveAsTable(self.place)
            else:
                writer.save(self.place)

    def _write_settings(self, schema: "StructType") -> dict[str, str]:
        # Hadoop's committer publishes every file under its attempt number. The number is 0 for
        # all jobs, so it would also publish what a killed job left. Therefore use a random one.
        attempt = random.randrange(1, 2**31)  # noqa: S311
        settings = {"mapreduce.job.application.attempt.id": str(attempt), **_LARGE_ROWS}
        # Parquet would keep copies of the smallest and the largest image, and a dictionary.
        for path in _binary_columns(schema, ""):
            settings[f"parquet.column.statistics.enabled#{path}"] = "false"
            settings[f"parquet.enable.dictionary#{path}"] = "false"
        for each in schema.fields:
            if each.dataType.simpleString() == spark_type(INDEX_TYPES[0]).simpleString():
                settings["parquet.block.size"] = _INDEX_ROW_GROUP
                # No number of an embedding is there twice.
                path = f"{each.name}.list.element.embedding.list.element"
                settings[f"parquet.enable.dictionary#{path}"] = "false"
        if self.file_bytes:
            settings |= {
                "spark.sql.adaptive.enabled": "true",
                "spark.sql.adaptive.advisoryPartitionSizeInBytes": str(self.file_bytes),
                # Otherwise there are as many files as cores, however small.
                "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
            }
        return settings

    def __str__(self) -> str:
        return redact_url(self.place)


@contextlib.contextmanager
def _settings_in(spark: "SparkSession", settings: Mapping[str, str]) -> Iterator[None]:
    """Set the session's settings, and restore them at the end."""
    before = {name: spark.conf.get(name, None) for name in settings}
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                spark.conf.unset(name)
            else:
                spark.conf.set(name, old)


def _binary_columns(kind: "DataType", path: str) -> Iterator[str]:
    """Yield the paths of binary columns in Parquet's schema."""
    from pyspark.sql.types import ArrayType, BinaryType, StructType

    if isinstance(kind, BinaryType):
        yield path
    elif isinstance(kind, ArrayType):
        yield from _binary_columns(kind.elementType, f"{path}.list.element")
    elif isinstance(kind, StructType):
        for field in kind.fields:
            yield from _binary_columns(field.dataType, f"{path}.{field.name}".removeprefix("."))
