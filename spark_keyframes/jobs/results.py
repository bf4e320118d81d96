"""The way of videos into a job's table: all of them, or those that it does not have yet."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.jobs.inputs import spread
from spark_keyframes.jobs.table import Table, any_twice, new_rows, parts
from spark_keyframes.spark.explode import FRAME_COLUMNS, explode_keyframes
from spark_keyframes.spark.monitoring.failures import FAILURES, add_failures
from spark_keyframes.spark.monitoring.metrics import metrics, report_lines
from spark_keyframes.spark.versions import check_observations
from spark_keyframes.urls import redact_url

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Observation, SparkSession
    from pyspark.sql.types import StructType


class Sampling:
    """Samples the videos of a job, and counts what becomes of them.

    Arguments:
        sampler: the operator.
        options: of the job.
        video_col: the column that holds the videos.
    """

    def __init__(self, sampler: Any, options: argparse.Namespace, video_col: str) -> None:
        self.sampler = sampler
        self.options = options
        self.video_col = video_col
        self.counts: dict[str, Any] = {}
        """the values of `metrics` so far, over all that was sampled; empty before that"""

    def collect(self, videos: "DataFrame") -> list[Any]:
        """The rows of the result, where there is no table for them."""
        result, counts = self.result(videos)
        rows = result.collect()
        self.count(counts.get)
        return rows

    def result(self, videos: "DataFrame") -> "tuple[DataFrame, Observation]":
        """What `transform` gives, and the counts of it while its rows pass by."""
        from pyspark.sql import Observation

        check_observations(videos.sparkSession)
        options = self.options
        # The report needs it; the table has it only if it was asked for.
        account_col = options.account_col or f"account_{uuid4().hex}"
        sampled = self.sampler.transform(
            videos,
            input_col=self.video_col,
            output_col=options.output_col,
            text_col=options.text_col,
            error_col=options.error_col,
            account_col=account_col,
            on_error=options.on_error,
            cpus=options.cpus,
            gpus=options.gpus,
        )
        counts = Observation()
        columns = metrics(
            output_col=options.output_col, error_col=options.error_col, account_col=account_col
        )
        observed = sampled.observe(counts, *columns)
        return observed if options.account_col else observed.drop(account_col), counts

    def count(self, values: Mapping[str, Any]) -> None:
        """Add the values of `metrics`; TooManyFailuresError where --max-failures is exceeded."""
        for name, value in values.items():
            if name not in self.counts:
                self.counts[name] = value
            elif name == FAILURES:
                self.counts[name] = add_failures(self.counts[name], value)
            else:
                self.counts[name] += value
        if self.options.max_failures is not None:
            self.options.max_failures.check(self.counts["failed"], self.counts["done"])

    def report(self, table: str) -> int:
        """Print what was done, what failed, what it took, and where the result is; the exit code.

        Arguments:
            table: where it is, or why it is nowhere.
        """
        counts = self.counts
        print(*(report_lines(counts) if counts else ["videos     0: nothing new"]), sep="\n")
        images = redact_url(self.options.output_tos_dir)
        print(f"images     {images or 'not stored: --output-tos-dir says where to'}")
        print(f"table      {redact_url(table)}")
        return 1 if counts and counts["failed"] and not counts["done"] else 0


class Storing(Sampling):
    """Puts the rows into tables: those that failed into one of their own where that is asked for.

    Arguments: as of Sampling.
    """

    def __init__(self, sampler: Any, options: argparse.Namespace, video_col: str) -> None:
        super().__init__(sampler, options, video_col)
        self.table = _table(options)
        self.failed_table: Table | None = None
        if options.failed_output:
            self.failed_table = replace(
                self.table, place=options.failed_output, named=False, partition_by=()
            )
        self.known = 0
        """videos that were in the table, or twice in the input"""
        self.without = 0
        """rows without a video, where each video is wanted once"""
        self._schema: StructType | None = None

    @property
    def heavy(self) -> bool:
        """Whether the rows hold the videos themselves."""
        return bool(self.options.video_src_type != "video_url")

    @property
    def keys(self) -> list[str]:
        """The columns that tell videos apart; ParameterError where there can be none."""
        options = self.options
        if options.id_col:
            return list(options.id_col)
        if self.heavy:
            raise ParameterError(
                f"the table does not keep a {options.video_src_type!r}, so that it cannot be told "
                "which videos it has; give --id-col, a column that no two videos share a value of"
            )
        return [self.video_col, *([options.text_col] if options.text_col else [])]

    def put(self, videos: "DataFrame", mode: str) -> None:
        """Sample videos and write their rows; `mode` is Spark's.

        Raises TooManyFailuresError, and then these rows are not written.
        """
        from pyspark import StorageLevel

        result, counts = self.result(videos)
        self._plan(result)
        if self.options.max_failures is None and self.failed_table is None:
            self._save(result, mode)
            self.count(counts.get)
            return
        # Looked at before it is written, or written to two tables: not sampled twice.
        kept = result.persist(StorageLevel.DISK_ONLY)
        try:
            kept.count()
            self.count(counts.get)
            if self.failed_table is None:
                self._save(kept, mode)
            else:
                self._save_apart(kept, mode, self.failed_table, counts.get["videos"])
        finally:
            kept.unpersist()

    def put_new(self, videos: "DataFrame", mode: str = "append", *, move: bool = False) -> None:
        """`put` those that are not in the table yet, part by part, each of them once.

        Arguments:
            videos: read several times before they are sampled, but for the column that holds them.
            mode: for the first part: "append", or "overwrite", which looks at no table. The others
                are appended.
            move: share the rows out between tasks anew, since they came in few.

        Raises ParameterError: videos that are not kept in the table have the same keys.
        """
        from pyspark.sql import functions as sf

        keys, first = self.keys, sf.col(f"`{self.keys[0]}`")
        rows, count = videos.agg(sf.count(sf.lit(1)), sf.count(first)).first() or (0, 0)
        self.without += rows - count
        twice = any_twice(videos, keys)
        if twice and self.heavy:
            raise ParameterError(
                f"several rows have {twice}, and which of them is in the table could not be told; "
                "give columns with --id-col that no two videos share the values of"
            )
        if twice:
            videos, move = videos.dropDuplicates(keys), True
        schema = self._plan(self.result(videos)[0])
        done, number = 0, math.ceil(count / (self.options.videos_per_batch or count or 1))
        for part in parts(videos, keys, number):
            known = [] if mode == "overwrite" else self._known(videos.sparkSession, schema)
            new = new_rows(part, keys, known)
            if left := new.count():
                self.put(spread(new, left) if move else new, mode)
                mode = "append"
            done += left
        self.known += count - done

    def exists(self, spark: "SparkSession") -> bool:
        """Whether there is a table already, or anything else at its place."""
        from pyspark.sql.types import StructType

        return self.table.read(spark, StructType().add("video", "string")) is not None

    def stored(self, spark: "SparkSession", count: int) -> list[Any]:
        """Some rows of the table, without the images; none where nothing was put into it."""
        rows = self.table.read(spark, self._schema) if self._schema is not None else None
        if rows is None:
            return []
        wanted = {self.video_col, self.options.output_col, self.options.error_col, *FRAME_COLUMNS}
        shown = [f"`{name}`" for name in rows.columns if name in wanted - {"image"}]
        return list(rows.select(shown).take(count))

    def report(self, table: str) -> int:
        """As of Sampling, and what was not sampled."""
        if self.known:
            print(f"known      {self.known} videos: in the table already, or given twice")
        if self.without:
            print(f"left out   {self.without} rows without a video")
        return super().report(table)

    def _known(self, spark: "SparkSession", schema: "StructType") -> "list[DataFrame]":
        tables = [self.table]
        if self.failed_table is not None and not self.options.retry_failed:
            tables.append(self.failed_table)
        found = [table.read(spark, schema) for table in tables]
        return [rows for rows in found if rows is not None]

    def _plan(self, result: "DataFrame") -> "StructType":
        """The schema of the table, printed once, and checked before anything runs."""
        layout = self._layout(result)
        if self._schema is None:
            self.table.check(result.schema)
            layout.printSchema()
            self._schema = layout.schema
        return self._schema

    def _layout(self, result: "DataFrame") -> "DataFrame":
        if self.options.explode:
            return explode_keyframes(result, output_col=self.options.output_col)
        return result

    def _save(self, result: "DataFrame", mode: str) -> None:
        # A row becomes several after it was moved: those of a video stay together.
        self.table.save(self._layout(self.table.even(result, self._moved_by(result))), mode)

    def _save_apart(
        self, result: "DataFrame", mode: str, failed_table: Table, sampled: int
    ) -> None:
        from pyspark.sql import Observation
        from pyspark.sql import functions as sf

        output_col, error = self.options.output_col, sf.col(f"`{self.options.error_col}`")
        good, bad = Observation(), Observation()
        rows = sf.count(sf.lit(1)).alias("rows")
        self._save(result.where(error.isNull()).observe(good, rows), mode)
        failed = result.where(error.isNotNull()).drop(output_col, f"{output_col}_images")
        failed = failed_table.even(failed.observe(bad, rows), self.options.error_col)
        failed_table.save(failed, "append")
        written = good.get["rows"] + bad.get["rows"]
        if written != sampled:
            # An executor was lost with its rows, and a video came out otherwise the second time.
            raise KeyframesError(
                f"{sampled} videos were sampled, and {written} written; run the job again, with "
                "--resume: it does those that are in neither table"
            )

    def _moved_by(self, result: "DataFrame") -> str:
        return self.video_col if self.video_col in result.columns else self.options.output_col


def _table(options: argparse.Namespace) -> Table:
    given = dict(options.option)
    if options.explode:
        # A limit of the session's would divide a video's rows between files, see Table.
        given = {"maxRecordsPerFile": "0", **given}
    return Table(
        place=options.output or options.output_table,
        named=options.output_table is not None,
        format=options.format,
        options=given,
        partition_by=options.partition_by,
        file_bytes=options.max_file_bytes,
    )
