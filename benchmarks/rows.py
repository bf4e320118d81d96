"""The measurements: a row for each side and video, in groups that are compared."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from benchmarks.process import Cost

OURSELVES = "spark_keyframes"
COARSE = "spark_keyframes, coarse"
COARSE_OF_8 = "spark_keyframes, coarse, 8 keyframes"
IN_THREADS = "spark_keyframes, decoding in threads"
FLOOR = "floor: bare libavcodec and CLIP"
PACKED_FLOOR = "floor, with spark_keyframes' CLIP"
ON_SPARK = "spark_keyframes on Spark"
COARSE_ON_SPARK = "spark_keyframes on Spark, coarse"
NAIVE = "plain Spark pandas UDF, float32"
NAIVE_HALF = "plain Spark pandas UDF, bfloat16"
NAIVE_OPENCV = "plain Spark pandas UDF with OpenCV, bfloat16"
AKS_RECIPE = "published AKS recipe, float32"
DAFT = "Daft, bfloat16"
RAY = "Ray Data, bfloat16"
TORCHCODEC = "torchcodec get_frames_played_at"
ONE_CORE = "spark_keyframes, one core"
ALL_CORES = "spark_keyframes, all cores"
THREE_TEXTS = "spark_keyframes, three texts"
TRANSFORMS = "ten transforms"
INDEX_TEN = "ten of transform_index"
INDEX_ARRAY = "transform_index, an array of ten texts"
READING = "reading with Spark alone"
SEARCHING = "search"

LEAST_SECONDS = 1.0
"""of a job that is done once: the system counts CPU time in steps of 10 ms"""


@dataclass
class Row:
    """The costs of one side on one video."""

    side: str
    video: str
    costs: list[Cost] = field(default_factory=list)
    problem: str = ""
    """the reason why there is no figure"""
    definition: str = ""
    """of the side: a measurement goes on only with the same"""

    def median(self, value: Callable[[Cost], float]) -> float:
        """Return the median of a cost over the rounds."""
        return statistics.median(value(cost) for cost in self.costs)

    def counted(self) -> Self:
        """Return the row without a first round that only showed how often to repeat the job."""
        if len(self.costs) > 1 and self.costs[0].cpu < LEAST_SECONDS:
            return replace(self, costs=self.costs[1:])
        return self

    @property
    def cpu(self) -> float:
        """Median CPU seconds."""
        return self.median(lambda cost: cost.cpu)

    @property
    def wall(self) -> float:
        """Median wall-clock seconds."""
        return self.median(lambda cost: cost.wall)

    def cpu_to(self, other: Row) -> float:
        """Return the ratio of CPU times to those of another side."""
        return _median_ratio(self, other, lambda cost: cost.cpu)

    def wall_to(self, other: Row) -> float:
        """Return the ratio of wall-clock times to those of another side."""
        return _median_ratio(self, other, lambda cost: cost.wall)

    @property
    def peak_mb(self) -> float:
        """Largest memory of one process, without pages of files."""
        return max(cost.peak_mb for cost in self.costs)

    @property
    def together_mb(self) -> float:
        """Largest memory of all processes together, without pages of files."""
        return max(cost.together_mb for cost in self.costs)

    @property
    def resident_mb(self) -> float:
        """Largest memory of one process, with pages of files."""
        return max(cost.resident_mb for cost in self.costs)


def _median_ratio(row: Row, other: Row, value: Callable[[Cost], float]) -> float:
    """Return the median of the ratios within each round.

    A machine is faster in one minute than in another. Within a round the sides follow each other.
    What was measured once is compared with the median of the other side.
    """
    rounds = min(len(row.costs), len(other.costs))
    if rounds == 1:
        return row.median(value) / other.median(value)
    pairs = zip(row.costs[-rounds:], other.costs[-rounds:], strict=True)
    return statistics.median(value(cost) / value(base) for cost, base in pairs)


def ratio_of_sums(pairs: list[tuple[Row, Row]]) -> float:
    """Return the ratio of the CPU times of two sides on all videos: the median of the rounds.

    Of a row that lacks a round, its median counts there.
    """

    def total(rows: Iterable[Row], turn: int) -> float:
        return sum(row.costs[-turn].cpu if turn <= len(row.costs) else row.cpu for row in rows)

    ours, others = zip(*pairs, strict=True)
    rounds = max(len(row.costs) for row in (*ours, *others))
    return statistics.median(
        total(ours, turn) / total(others, turn) for turn in range(1, rounds + 1)
    )


@dataclass
class Group:
    """Rows that are compared with each other."""

    kind: str
    rows: list[Row]

    @property
    def videos(self) -> list[str]:
        """In the order of measurement."""
        return list(dict.fromkeys(row.video for row in self.rows))

    @property
    def sides(self) -> list[str]:
        """In the order of measurement."""
        return list(dict.fromkeys(row.side for row in self.rows))

    def row(self, side: str, video: str) -> Row:
        """Return the row of a side and a video; one without costs if it was not measured."""
        found = (row for row in self.rows if (row.side, row.video) == (side, video))
        return next(found, Row(side, video))

    def pairs(self, side: str, base: str) -> list[tuple[Row, Row]]:
        """Return the rows of two sides on each video, where both were measured."""
        rows = [(self.row(side, video), self.row(base, video)) for video in self.videos]
        return [(row, other) for row, other in rows if row.costs and other.costs]
