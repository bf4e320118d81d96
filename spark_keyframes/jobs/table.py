"""A job's table: where it is, how its files are laid out, and which videos it has already."""

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from spark_keyframes.errors import ParameterError
from spark_keyframes.spark.versions import condition_of
from spark_keyframes.urls import redact_url

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

# Of these Spark is told the schema: it would infer a wrong one, or read everything to do so. Table
# formats know their own, and refuse to be told.
_FILE_FORMATS = ("avro", "csv", "json", "orc", "parquet")

_NO_TABLE = ("PATH_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA", "TABLE_OR_VIEW_NOT_FOUND", "DELTA_")

# What a task can be divided into, before Spark joins what is small.
_DIVISIONS = 200

# Rows of 100 MB: by default Parquet looks at its memory only every 100 rows, too late.
_LARGE_ROWS = {
    "parquet.page.size.row.check.min": "1",
    "parquet.block.size.row.check.min": "1",
}


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that rows are added to, so that all rows of a video are in one file.

    A file appears as a whole or not at all, whatever is killed. So a video that is found in the
    table is there with all of its rows, and `new_rows` can go by that.
    """

    place: str
    """path or URL, or the name in the catalogue"""
    named: bool = False
    """whether `place` is such a name"""
    format: str = "parquet"
    """of the files or the table: "parquet", "orc", "json", "delta", "iceberg", …"""
    options: Mapping[str, str] = field(default_factory=dict)
    """for Spark's writer"""
    partition_by: Sequence[str] = ()
    """columns with a folder, or partition, for each of their values"""
    file_bytes: int = 0
    """about how large a file becomes; 0: each task writes what it has"""

    def read(self, spark: "SparkSession", schema: "StructType") -> "DataFrame | None":
        """Its rows; None where there is no table yet.

        Arguments:
            spark: the session.
            schema: of the rows that are written, for formats that do not know it. With columns that
                the table lacks: they are null.

        Raises ParameterError where this Spark does not have the format.
        """
        if self.named:
            return spark.table(self.place) if spark.catalog.tableExists(self.place) else None
        reader = spark.read.format(self.format)
        if self.format.lower() in _FILE_FORMATS:
            reader = reader.schema(schema)
        try:
            table = reader.load(self.place)
            table.schema  # noqa: B018 - Connect looks at nothing before
            return table
        # Spark 4.3 has no class of errors for a missing format, and Connect another one.
        except Exception as error:
            if "DATA_SOURCE_NOT_FOUND" in str(error):
                raise ParameterError(
                    f"this Spark does not know the format {self.format!r}; give it the package, "
                    "e.g. spark-submit --packages …, see docs/etl.md, or choose parquet"
                ) from error
            if condition_of(error).startswith(_NO_TABLE):
                return None
            raise

    def check(self, schema: "StructType") -> None:
        """Raise ParameterError where rows of this schema cannot be partitioned so."""
        names = {name.lower() for name in schema.names}
        for name in self.partition_by:
            if name.lower() not in names:
                raise ParameterError(
                    f"--partition-by {name!r} is not a column of the result; "
                    f"it has {', '.join(schema.names)}"
                )

    def even(self, rows: "DataFrame", by: str) -> "DataFrame":
        """Rows moved between tasks so that each writes a file of about `file_bytes`.

        Spark's own REBALANCE: it sees in the shuffle how large the rows became, joins what is
        small and divides what is large. By a column, since without one each task would sort its
        rows first, in memory, images and all.

        Arguments:
            rows: what is to be written, but that a row may become several afterwards.
            by: any column; rows with the same value may end up in the same file.
        """
        if not self.file_bytes:
            return rows
        columns = [f"`{name}`" for name in self.partition_by or (by,)]
        if rows.sparkSession.version.startswith("3."):
            # Its hint takes no columns from Python: what is small is joined, no more.
            return rows.repartition(*columns)
        return rows.hint("rebalance", _DIVISIONS, *columns)

    def save(self, rows: "DataFrame", mode: str) -> None:
        """Write rows; `mode` is Spark's: "error", "overwrite" or "append"."""
        writer = rows.write.format(self.format).mode(mode).options(**self.options)
        if self.partition_by:
            writer = writer.partitionBy(*self.partition_by)
        # Not as options: a catalogue would keep them with the table.
        with _set(rows.sparkSession, self._settings(rows.schema)):
            if self.named:
                writer.saveAsTable(self.place)
            else:
                writer.save(self.place)

    def _settings(self, schema: "StructType") -> dict[str, str]:
        # The committer publishes all that it finds under the number of its attempt. That is 0 for
        # every job, so it would publish what a job that was killed has left there, too.
        attempt = random.randrange(1, 2**31)  # noqa: S311
        settings = {"mapreduce.job.application.attempt.id": str(attempt), **_LARGE_ROWS}
        # Of the least and the largest image Parquet would keep copies, and look for equal ones.
        for path in _binaries(schema, ""):
            settings[f"parquet.column.statistics.enabled#{path}"] = "false"
            settings[f"parquet.enable.dictionary#{path}"] = "false"
        if self.file_bytes:
            settings |= {
                "spark.sql.adaptive.enabled": "true",
                "spark.sql.adaptive.advisoryPartitionSizeInBytes": str(self.file_bytes),
                # Else there are as many files as cores, however small.
                "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
            }
        return settings

    def __str__(self) -> str:
        return redact_url(self.place)


def new_rows(
    videos: "DataFrame", keys: Sequence[str], tables: "Sequence[DataFrame]"
) -> "DataFrame":
    """The rows of `videos` that none of the tables has, in the tasks that they were in.

    Arguments:
        videos: rows with the columns `keys`.
        keys: what makes two rows the same. A row is left out where the first of them is null.
        tables: what is done already.
    """
    from pyspark.sql import functions as sf

    new = videos.where(_col(keys[0]).isNotNull())
    wanted = new.select(*(_col(key) for key in keys))
    for table in tables:
        names = [f"known_{uuid4().hex}" for _ in keys]
        known = table.select(
            *(_col(key).alias(name) for key, name in zip(keys, names, strict=True))
        )
        same = sf.lit(True)
        for key, name in zip(keys, names, strict=True):
            same = same & _col(key).eqNullSafe(sf.col(name))  # a text may be null
        # Of a large table only what is asked about: that is no larger than `videos`.
        known = known.join(wanted, same, "left_semi").distinct()
        new = new.join(sf.broadcast(known), same, "left_anti")
    return new


def any_twice(videos: "DataFrame", keys: Sequence[str]) -> str | None:
    """Values of `keys` that two rows have, in words; None where all differ."""
    from pyspark.sql import functions as sf

    columns = [_col(key) for key in keys]
    counted = videos.where(columns[0].isNotNull()).groupBy(*columns).agg(sf.count(sf.lit(1)))
    found = counted.where(sf.col("count(1)") > 1).first()
    if found is None:
        return None
    return ", ".join(f"{key}={found[i]!r}" for i, key in enumerate(keys))


def parts(videos: "DataFrame", keys: Sequence[str], count: int) -> "Iterator[DataFrame]":
    """The rows in `count` parts of about the same size, each the same whenever it is asked for."""
    from pyspark.sql import functions as sf

    if count == 1:
        yield videos
        return
    part = sf.pmod(sf.xxhash64(*(_col(key) for key in keys)), sf.lit(count))
    for number in range(count):
        yield videos.where(part == number)


@contextlib.contextmanager
def _set(spark: "SparkSession", settings: Mapping[str, str]) -> Iterator[None]:
    """Settings of the session, for Spark to read as it writes; afterwards they are as before."""
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


def _binaries(kind: "DataType", path: str) -> Iterator[str]:
    """The paths of binary values in Parquet's own schema."""
    from pyspark.sql.types import ArrayType, BinaryType, StructType

    if isinstance(kind, BinaryType):
        yield path
    elif isinstance(kind, ArrayType):
        yield from _binaries(kind.elementType, f"{path}.list.element")
    elif isinstance(kind, StructType):
        for field in kind.fields:
            yield from _binaries(field.dataType, f"{path}.{field.name}".removeprefix("."))


def _col(name: str) -> "Column":
    from pyspark.sql import functions as sf

    return sf.col(f"`{name}`")
