"""How videos ended, added up on the driver while an action runs: for the bar, where there is one.

These are accumulators, whose values come with the end of each task. Columns of `observe` are for
the end of an action only: to evaluate them meanwhile, as Spark does itself whenever a task ends,
was seen to break an update.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from spark_keyframes.result import Failure
from spark_keyframes.spark.monitoring.terminal import is_seen
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark import Accumulator
    from pyspark.sql import SparkSession

    from spark_keyframes.engine.pipeline import Outcome

logger = logging.getLogger(__name__)


class Ends(NamedTuple):
    """Videos of tasks that have ended."""

    videos: int
    """null ones too"""
    done: int
    failed: int
    frames: int
    """that were decoded"""


@dataclass(frozen=True)
class Tally:
    """Counts in tasks, by `add`; is read on the driver."""

    videos: "Accumulator[int]"
    done: "Accumulator[int]"
    failed: "Accumulator[int]"
    frames: "Accumulator[int]"

    def add(self, outcome: "Outcome") -> None:
        """Count a video, in a task."""
        self.videos.add(1)
        if outcome is not None:
            (self.failed if isinstance(outcome, Failure) else self.done).add(1)
            self.frames.add(outcome.account.frames_decoded)

    @property
    def ends(self) -> Ends:
        """What the tasks of an application have counted so far; on the driver."""
        counts = (self.videos, self.done, self.failed, self.frames)
        return Ends(*(count.value for count in counts))


_of_applications: dict[str, Tally] = {}


def tally_of(spark: "SparkSession") -> Tally | None:
    """The one of a session's application; None where there is no bar, and over Connect."""
    if is_connect(spark) or not is_seen():
        return None
    try:
        context = spark.sparkContext
        if context.applicationId not in _of_applications:
            counts = (context.accumulator(0) for _ in Ends._fields)
            _of_applications[context.applicationId] = Tally(*counts)
        return _of_applications[context.applicationId]
    except Exception:
        # Clusters that many share refuse what reaches into the JVM. A bar is worth no failed job.
        logger.debug("no tally for a progress bar", exc_info=True)
        return None
