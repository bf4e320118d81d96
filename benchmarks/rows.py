"""The measurements: a row for each side and video, in groups that are compared."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.process import Cost

OURSELVES = "spark_keyframes"
IN_THREADS = "spark_keyframes, decoding in threads"
FLOOR = "floor: bare libavcodec and CLIP"
PACKED_FLOOR = "floor, with spark_keyframes' CLIP"
ON_SPARK = "spark_keyframes on Spark"
ONE_CORE = "spark_keyframes, one core"
THREE_TEXTS = "spark_keyframes, three texts"
TRANSFORMS = "ten transforms"
INDEX_TEN = "ten of transform_index"
INDEX_ARRAY = "transform_index, an array of ten texts"
READING = "reading with Spark alone"
SEARCHING = "search"
ALL_CORES = "spark_keyframes, all cores"


@dataclass
class Row:
    """The costs of one side on one video."""

    side: str
    video: str
    costs: list[Cost] = field(default_factory=list)
    problem: str = ""
    """the reason why there is no figure"""

    def median(self, value: Callable[[Cost], float]) -> float:
        """Return the median of a cost over the rounds."""
        return statistics.median(value(cost) for cost in self.costs)

    @property
    def cpu(self) -> float:
        """Median CPU seconds."""
        return self.median(lambda cost: cost.cpu)

    @property
    def wall(self) -> float:
        """Median wall-clock seconds."""
        return self.median(lambda cost: cost.wall)


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
        """Return the row of a side and a video."""
        return next(row for row in self.rows if (row.side, row.video) == (side, video))
