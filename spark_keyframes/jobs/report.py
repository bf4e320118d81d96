"""Counts a job's videos, and prints what became of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spark_keyframes.jobs.failure_limit import MaxFailures
from spark_keyframes.jobs.row_maker import RowMaker
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.columns import quoted
from spark_keyframes.spark.monitoring.failures import FAILURES, add_failures
from spark_keyframes.spark.monitoring.metrics import report_lines

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


_VIDEO_SHOWN = 40  # characters


class Report:
    """The counts of a job, summed over its batches.

    Args:
        max_failures: the most videos that may fail; None: any number.
        images_place: where images are stored, "" for nowhere; None: there are no images.

    Attributes:
        known: videos that were in the table already, or twice in the input.
        without_video: rows of the input whose video is null, where each video is wanted once.
    """

    def __init__(self, max_failures: MaxFailures | None, images_place: str | None) -> None:
        self.known = 0
        self.without_video = 0
        self._max_failures = max_failures
        self._images_place = images_place
        self._counts: dict[str, Any] = {}

    def add(self, values: Mapping[str, Any]) -> None:
        """Add the values of `metrics` of one batch.

        Raises:
            TooManyFailuresError: more videos failed than `max_failures` allows.
        """
        counts = self._counts
        for name, value in values.items():
            if name not in counts:
                counts[name] = value
            elif name == FAILURES:
                counts[name] = add_failures(counts[name], value)
            else:
                counts[name] += value
        if self._max_failures is not None:
            self._max_failures.check(counts["failed"], counts["done"])

    def print(self, table: str) -> int:
        """Print the counts, and return the exit code: 1 where no video succeeded.

        Args:
            table: where the table is, or why there is none.
        """
        if self.known:
            print(f"known      {self.known} videos: in the table already, or given twice")
        if self.without_video:
            print(f"left out   {self.without_video} rows without a video")
        counts = self._counts
        print(*(report_lines(counts) if counts else ["videos     0: nothing new"]), sep="\n")
        if self._images_place is not None:
            images = redact_url(self._images_place)
            print(f"images     {images or 'not stored, without output_tos_dir'}")
        print(f"table      {redact_url(table)}")
        return 1 if counts and counts["failed"] and not counts["done"] else 0


def show_rows(spark: "SparkSession", rows: Sequence[Any], maker: RowMaker) -> None:
    """Print rows of the result as a table; long lists are cut, so that a row is one line."""
    names = [maker.video_col, maker.output_col, maker.options.error_col]
    schema = ", ".join(f"{quoted(name)} string" for name in names)
    cells = [_cells(row.asDict(), maker) for row in rows]
    spark.createDataFrame(cells, schema).show(truncate=160)


def _cells(row: dict[str, Any], maker: RowMaker) -> tuple[str | None, ...]:
    video = redact_url(row.get(maker.video_col) or "")  # video bytes are not in the result
    video = video if len(video) <= _VIDEO_SHOWN else f"…{video[1 - _VIDEO_SHOWN :]}"
    error = row.get(maker.options.error_col)
    return video, maker.text_of(row), error["error"] if error else None
