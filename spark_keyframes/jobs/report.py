"""Counts a job's videos, and prints what became of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spark_keyframes.jobs.options import JobOptions
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
        options: of the job.

    Attributes:
        known: videos that were in the table already, or twice in the input.
        without_video: rows of the input whose video is null, where each video is wanted once.
    """

    def __init__(self, options: JobOptions) -> None:
        self.known = 0
        self.without_video = 0
        self._options = options
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
        if self._options.max_failures is not None:
            self._options.max_failures.check(counts["failed"], counts["done"])

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
        images = redact_url(self._options.sampler.output_tos_dir)
        print(f"images     {images or 'not stored, without output_tos_dir'}")
        print(f"table      {redact_url(table)}")
        return 1 if counts and counts["failed"] and not counts["done"] else 0


def show_rows(
    spark: "SparkSession", rows: Sequence[Any], video_col: str, options: JobOptions
) -> None:
    """Print rows of the result as a table; long lists are cut, so that a row is one line."""
    names = [video_col, options.output_col, options.error_col]
    schema = ", ".join(f"{quoted(name)} string" for name in names)
    cells = [_cells(row.asDict(), names) for row in rows]
    spark.createDataFrame(cells, schema).show(truncate=160)


def _cells(row: dict[str, Any], names: list[str]) -> tuple[str | None, ...]:
    def short(values: list[Any], most: int) -> str:
        return f"[{', '.join(map(str, values[:most]))}{', …' * (len(values) > most)}]"

    def name(path: str | None) -> str | None:
        return path and path.rsplit("/", 1)[-1]

    video_col, output_col, error_col = names
    text = None
    if row.get("frame_id") is not None:
        text = f"frame {row['frame_id']}, score {row['score']:.3f}, {name(row['tos_path'])}"
    elif isinstance(cell := row.get(output_col), list):
        counts = (len(each["frame_ids"]) if each else 0 for each in cell)
        text = f"{' + '.join(map(str, counts))} keyframes, for each text"
    elif cell is not None:
        scores = short([round(score, 3) for score in cell["scores"]], 4)
        paths = short([name(path) for path in cell["tos_paths"]], 1)
        ids = short(cell["frame_ids"], 4)
        text = f"{{tos_paths: {paths}, frame_ids: {ids}, scores: {scores}}}"
    video = redact_url(row.get(video_col) or "")  # video bytes are not in the result
    error = row.get(error_col)
    video = video if len(video) <= _VIDEO_SHOWN else f"…{video[1 - _VIDEO_SHOWN :]}"
    return video, text, error["error"] if error else None
