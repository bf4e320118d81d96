"""Reads a table row by row: local Parquet by pyarrow, everything else through Spark."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_keyframes.errors import KeyframesError, ParameterError, SourceNotFoundError
from spark_keyframes.html.row_columns import Kind, kinds_of_spark
from spark_keyframes.imports import require
from spark_keyframes.listing.videos import path_of_local
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.report.arrow_kinds import kinds_of_arrow
from spark_keyframes.report.options import table_place
from spark_keyframes.urls import is_local

_BATCH_ROWS = 1024
_SUFFIXES = {".orc": "orc", ".json": "json", ".csv": "csv", ".avro": "avro"}

Row = Mapping[str, Any]
Read = Callable[[Sequence[str], int], Iterator[Row]]


@dataclass(frozen=True)
class TableRows:
    """The rows of a table, which may be read more than once."""

    name: str
    """what to call it, without credentials"""
    kinds: Mapping[str, Kind]
    """what each column holds"""
    read: Read
    """yields rows with some columns, so many at a time: dicts for structs, lists for arrays"""

    def rows(self, columns: Sequence[str], *, large: bool = False) -> Iterator[Row]:
        """Yield the rows with these columns, in the same order each time if nothing is written.

        Args:
            columns: their names; those that a file lacks are null.
            large: whether the rows are large, as with images: one is in memory at a time.
        """
        return self.read(columns, 1 if large else _BATCH_ROWS)


def open_table(table: Any, format: str | None) -> TableRows:
    """Return the rows of a table.

    Args:
        table: a path, a URL, or with the format "table" a name of the catalogue; or a DataFrame of
            Spark or of pandas.
        format: of the table; None: what its files look like.

    Raises:
        SourceNotFoundError: there is nothing.
        ParameterError: it is of another format than was said.
        MissingPackageError: it can be read by Spark only, which is not installed.
        KeyframesError: Spark does not start.
    """
    if hasattr(table, "sparkSession"):
        return of_spark(table, "a DataFrame")
    if hasattr(table, "iloc"):
        return _of_pandas(table)
    place = table_place(table)
    path = _local_path(place)
    if path is not None and not path.exists() and format != "table":
        raise SourceNotFoundError(
            f"no table {redact_url(place)}; check the path: it is what a job wrote as its output"
        )
    found = format or (_format_of(path) if path is not None else None)
    if path is not None and (found or "parquet") == "parquet" and not _is_of_a_stream(path):
        return _of_parquet(path, redact_url(place))
    spark = _started(redact_url(place), found)
    from spark_keyframes.jobs.inputs import read_table

    return of_spark(read_table(spark, place, found), redact_url(place))


def of_spark(frame: Any, name: str) -> TableRows:
    """Return the rows of a DataFrame of Spark. One partition at a time is in this process."""
    from spark_keyframes.spark.columns import column

    def read(columns: Sequence[str], _: int) -> Iterator[Row]:
        chosen = frame.select(*map(column, columns))
        for row in chosen.toLocalIterator():
            yield row.asDict(recursive=True)

    return TableRows(name, kinds_of_spark(frame.schema), read)


def _of_pandas(frame: Any) -> TableRows:
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)

    def read(columns: Sequence[str], size: int) -> Iterator[Row]:
        for batch in table.select(list(columns)).to_batches(max_chunksize=size):
            yield from batch.to_pylist()

    return TableRows("a DataFrame", kinds_of_arrow(table.schema), read)


def _of_parquet(path: Path, name: str) -> TableRows:
    import pyarrow as pa
    import pyarrow.dataset as ds

    try:
        dataset = ds.dataset(str(path), format="parquet", partitioning="hive")
        files = sorted(dataset.get_fragments(), key=lambda each: str(each.path))
        # Files may have different columns: a later run added some.
        schemas = [dataset.schema, *(each.physical_schema for each in files)]
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowException, OSError) as error:
        raise _not_parquet(name, error) from error
    if not files:
        raise ParameterError(
            f"{name} has no Parquet file; give the folder of a table, or `format` for another one"
        )

    def read(columns: Sequence[str], size: int) -> Iterator[Row]:
        for file in files:
            try:
                yield from _rows_of_file(file, columns, size)
            except (pa.ArrowException, OSError) as error:
                raise _not_parquet(f"{name}: {Path(file.path).name}", error) from error

    return TableRows(name, kinds_of_arrow(schema), read)


def _rows_of_file(fragment: Any, columns: Sequence[str], size: int) -> Iterator[Row]:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    partition = ds.get_partition_keys(fragment.partition_expression)
    # A row group with images may have gigabytes: it is not read ahead.
    with pq.ParquetFile(fragment.path, pre_buffer=False) as file:
        there = set(file.schema_arrow.names)
        missing = {name: partition.get(name) for name in columns if name not in there}
        stored = [name for name in columns if name in there]
        if not stored:
            for _ in range(file.metadata.num_rows):
                yield missing
            return
        for batch in file.iter_batches(batch_size=size, columns=stored, use_threads=False):
            for row in batch.to_pylist():
                yield {**missing, **row}


def _not_parquet(name: str, error: Exception) -> ParameterError:
    said = redact_text(str(error).split("\n")[0])
    return ParameterError(
        f"{name} cannot be read as Parquet: {said}; give `format` for a table of another format"
    )


def _local_path(place: str) -> Path | None:
    return Path(path_of_local(place)) if is_local(place) else None


def _is_of_a_stream(path: Path) -> bool:
    """Whether Spark's file sink wrote it: what counts then is its log, which Spark reads."""
    return (path / "_spark_metadata").is_dir()


def _format_of(path: Path) -> str | None:
    """Return the format of a local table, by its folders and the names of its files."""
    if (path / "_delta_log").is_dir():
        return "delta"
    if any((path / "metadata").glob("*.metadata.json")):
        return "iceberg"
    names = [path.name] if path.is_file() else _file_names(path)
    for name in names:
        # Spark writes part-0.zstd.orc, part-0.json.gz.
        for suffix in reversed(Path(name).suffixes):
            if suffix in (".parquet", *_SUFFIXES):
                return _SUFFIXES.get(suffix, "parquet")
    return None


def _file_names(path: Path) -> Iterator[str]:
    for _, folders, names in os.walk(path):
        folders[:] = sorted(each for each in folders if each[0] not in "._")
        yield from (name for name in sorted(names) if name[0] not in "._")


def _started(name: str, format: str | None) -> Any:
    kind = f"of the format {format}" if format else "not on this machine"
    require("pyspark", f"{name} is {kind}: to read it, the report")
    from spark_keyframes.jobs.session import start_spark

    try:
        return start_spark()
    except KeyframesError:
        raise
    except Exception as error:
        raise KeyframesError(
            f"{name} is {kind}, and Spark, which reads it, does not start: "
            f"{redact_text(str(error).split(chr(10))[0])}; it needs Java 17",
            stage="parameters",
        ) from error
