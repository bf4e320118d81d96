"""Writes the rows of videos to a job's table."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.jobs.incremental import duplicate_keys, hash_parts, new_rows
from spark_keyframes.jobs.inputs import SIZE_COL, repartition_videos
from spark_keyframes.jobs.options import TableOptions
from spark_keyframes.jobs.report import Report
from spark_keyframes.jobs.row_maker import RowMaker, kept
from spark_keyframes.jobs.table import Table
from spark_keyframes.spark.columns import column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType


class TableWriter:
    """Writes all videos, or those that the table lacks.

    Args:
        maker: makes the rows; its options have a table.

    Attributes:
        table: the table of the results.
        failed_table: the table of the failed videos; None: they are rows of `table`.
        report: the counts of what was written.
    """

    def __init__(self, maker: RowMaker) -> None:
        options = maker.options
        self.table = _table(options)
        self.failed_table: Table | None = None
        if options.failed_output:
            self.failed_table = replace(
                self.table, place=options.failed_output, named=False, partition_by=()
            )
        self.report = Report(options.max_failures, maker.images_place)
        self._options = options
        self._maker = maker
        self._schema: StructType | None = None
        self._fitted = False

    def write(self, videos: "DataFrame", mode: str) -> None:
        """Sample videos and write their rows; `mode` is Spark's.

        Raises:
            TooManyFailuresError: too many failed; none of these rows is written.
        """
        if mode != "overwrite":
            self.fit(videos)
        result, counts = self._maker.make(videos)
        self._plan(result)
        if self._options.max_failures is None and self.failed_table is None:
            self._save(result, mode)
            self.report.add(counts.get)
            return
        # To count the failures before writing, and to write to two tables.
        with kept(result) as rows:
            self.report.add(counts.get)
            if self.failed_table is None:
                self._save(rows, mode)
            else:
                self._save_apart(rows, mode, self.failed_table, counts.get["videos"])

    def write_new(
        self, videos: "DataFrame", mode: str = "append", *, repartition: bool = False
    ) -> None:
        """Write the videos that are not in the table yet, part by part, each of them once.

        Args:
            videos: read several times before they are sampled, without the column of videos.
            mode: for the first part: "append", or "overwrite", which reads no table. The other
                parts are appended.
            repartition: distribute the rows over more tasks, where they come in few.

        Raises:
            ParameterError: the input holds video bytes, and two videos have the same keys; or the
                rows of the table were made by other settings.
        """
        once, count = self._each_once(videos, mode)
        repartition = repartition or once is not videos
        keys = self._maker.keys()
        schema = self._plan(self._maker.make(once)[0])
        if mode != "overwrite":
            self._maker.check_earlier(self._tables(videos.sparkSession, schema))
        done, parts = 0, math.ceil(count / (self._options.videos_per_batch or count or 1))
        for part in hash_parts(once, keys, parts):
            new = self._lacking(part, mode, schema)
            if left := new.count():
                self.write(repartition_videos(new, left) if repartition else new, mode)
                mode = "append"
            done += left
        self.report.known += count - done

    def check(self, videos: "DataFrame", mode: str) -> "StructType":
        """Return the table's schema; raise as `write` does before it samples anything."""
        if mode != "overwrite":
            self.fit(videos)
        return self._plan(self._maker.make(videos)[0], show=False)

    def new_videos(self, videos: "DataFrame", mode: str = "append") -> "DataFrame":
        """Return the videos that `write_new` would sample, and count the others; write nothing.

        Raises: as `write_new` does before it samples anything.
        """
        once, count = self._each_once(videos, mode)
        schema = self.check(once.drop(SIZE_COL), mode)
        if mode != "overwrite":
            self._maker.check_earlier(self._tables(videos.sparkSession, schema))
        new = self._lacking(once, mode, schema)
        self.report.known += count - new.count()
        return new

    def _each_once(self, videos: "DataFrame", mode: str) -> "tuple[DataFrame, int]":
        """Return the videos without those that are given twice, and how many were given."""
        from pyspark.sql import functions as sf

        self._maker.check_new(videos)
        if mode != "overwrite":
            self.fit(videos)
        keys = self._maker.keys()
        first = column(keys[0])
        rows, count = videos.agg(sf.count(sf.lit(1)), sf.count(first)).first() or (0, 0)
        self.report.without_video += rows - count
        if duplicates := duplicate_keys(videos, keys):
            if self._options.holds_video_bytes:
                raise ParameterError(
                    f"several rows have {duplicates}, so that it cannot be told which of them is "
                    "in the table; give `id_col`, columns whose values differ for each video"
                )
            return videos.dropDuplicates(keys), count
        return videos, count

    def _lacking(self, videos: "DataFrame", mode: str, schema: "StructType") -> "DataFrame":
        """Return the videos that the table lacks."""
        overwrites = mode == "overwrite"
        known = [] if overwrites else self._maker.known(self._tables(videos.sparkSession, schema))
        return new_rows(videos, self._maker.keys(), known)

    def first_rows(self, spark: "SparkSession", count: int) -> list[Any]:
        """Return some rows of the table, without images; none where nothing was written."""
        rows = self.table.read(spark, self._schema) if self._schema is not None else None
        if rows is None:
            return []
        return list(rows.select(*self._maker.shown(rows)).take(count))

    def fit(self, videos: "DataFrame") -> None:
        """Take over the columns of the table, if there is one; only the first time.

        Raises:
            ParameterError: rows of this job cannot be added to it.
        """
        if self._fitted:
            return
        stored = self.table.stored_schema(videos.sparkSession)
        if stored is not None:
            self._maker.fit(stored, self.table, videos)
        self._fitted = True

    def _tables(self, spark: "SparkSession", schema: "StructType") -> "list[DataFrame]":
        tables = [self.table]
        if self.failed_table is not None and not self._options.retry_failed:
            tables.append(self.failed_table)
        found = [table.read(spark, schema) for table in tables]
        return [rows for rows in found if rows is not None]

    def _plan(self, result: "DataFrame", *, show: bool = True) -> "StructType":
        """Return the table's schema; the first time, check and print it before anything runs."""
        layout = self._maker.layout(result)
        if self._schema is None:
            self.table.check_partition_columns(result)
            if show:
                layout.printSchema()
            self._schema = layout.schema
        return self._schema

    def _save(self, result: "DataFrame", mode: str) -> None:
        columns = (self._maker.video_col, self._maker.output_col)
        by = next(name for name in columns if name in result.columns)
        # Explode after the rebalance: the rows of a video must stay in one file.
        self.table.save(self._maker.layout(self.table.rebalanced(result, by)), mode)

    def _save_apart(
        self, result: "DataFrame", mode: str, failed_table: Table, sampled: int
    ) -> None:
        """Write failed videos to their own table, and the others to the table."""
        from pyspark.sql import Observation
        from pyspark.sql import functions as sf

        error = column(self._options.error_col)
        succeeded, failed = Observation(), Observation()
        rows = sf.count(sf.lit(1)).alias("rows")
        self._save(result.where(error.isNull()).observe(succeeded, rows), mode)
        errors = result.where(error.isNotNull()).drop(*self._maker.result_cols)
        errors = failed_table.rebalanced(errors.observe(failed, rows), self._options.error_col)
        # What is overwritten leaves no failures either; they would be known to the next part.
        failed_table.save(errors, "overwrite" if mode == "overwrite" else "append")
        written = succeeded.get["rows"] + failed.get["rows"]
        if written != sampled:
            # The rows of a lost executor were sampled again, and a video succeeded only once.
            raise KeyframesError(
                f"{sampled} videos were sampled, and {written} written; run the job again, with "
                "`resume` where it has it, for the videos that are in neither table"
            )


def _table(options: TableOptions) -> Table:
    return Table(
        place=options.output or options.output_table or "",
        named=options.output_table is not None,
        format=options.format,
        options=options.writer_options,
        partition_by=options.partition_by,
        file_bytes=options.max_file_bytes,
    )
