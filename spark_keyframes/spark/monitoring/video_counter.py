"""Counts videos and frames with accumulators, for the progress bar."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from spark_keyframes.result import Failure
from spark_keyframes.spark.monitoring.repeats import FirstVideos
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark import Accumulator
    from pyspark.sql import SparkSession

    from spark_keyframes.engine.request import Outcome

logger = logging.getLogger("spark_keyframes")


class VideoCounts(NamedTuple):
    """Counts of the tasks that have ended."""

    videos: int
    """all videos, null ones included"""
    done: int
    failed: int
    frames: int
    """decoded frames"""


@dataclass(frozen=True)
class VideoCounter:
    """The accumulators of an application: tasks add to them, the driver reads them.

    Spark adds the counts of a task when it ends. A task that is run again may count twice.
    """

    videos: "Accumulator[int]"
    done: "Accumulator[int]"
    failed: "Accumulator[int]"
    frames: "Accumulator[int]"
    first_videos: "Accumulator[dict[str, int]]"

    def begin(self, key: str) -> None:
        """Say with which video a task begins, by its `first_video_key`."""
        from pyspark import TaskContext

        if context := TaskContext.get():
            self.first_videos.add({key: context.stageId()})

    def add(self, outcome: "Outcome") -> None:
        """Count one video. Call it in a task."""
        self.videos.add(1)
        if outcome is not None:
            (self.failed if isinstance(outcome, Failure) else self.done).add(1)
            self.frames.add(outcome.account.frames_decoded)

    @property
    def counts(self) -> VideoCounts:
        """The counts since the application started. Read it on the driver."""
        return VideoCounts(self.videos.value, self.done.value, self.failed.value, self.frames.value)


_counters: dict[str, VideoCounter] = {}


def video_counter(spark: "SparkSession") -> VideoCounter | None:
    """Return the counter of the session's application.

    All sessions of an application share one, so that equal calls of `transform` give equal plans.

    Returns:
        The counter, or None over Connect and on shared clusters that forbid a SparkContext.
    """
    if is_connect(spark):
        return None
    try:
        context = spark.sparkContext
        application = context.applicationId
        if application not in _counters:
            videos, done, failed, frames = (context.accumulator(0) for _ in VideoCounts._fields)
            merging: Any = FirstVideos()
            first_videos = context.accumulator({}, merging)
            counter = VideoCounter(videos, done, failed, frames, first_videos)
            # Another thread may have added one in the meantime.
            _counters.setdefault(application, counter)
        return _counters[application]
    except Exception:
        # The bar must not make a job fail.
        logger.debug("no accumulators for the progress bar", exc_info=True)
        return None
