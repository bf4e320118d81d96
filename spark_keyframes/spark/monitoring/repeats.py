"""Notices that a result is made a second time, because it was not kept."""

import hashlib
import logging

logger = logging.getLogger("spark_keyframes")

_MOST = 10_000  # partitions that are remembered
_SAID = ""
_HINT = (
    "the same videos are sampled again with the same parameters: each action, such as show() or "
    "toPandas(), makes the result anew; call cache() on it, or write it and read it back"
)


class FirstVideos:
    """Merges, on the driver, which stage began with which video; says once that two did.

    It is for an accumulator, and has the methods of pyspark's AccumulatorParam.
    Only tasks that run to their end are counted, so two calls of first() are not noticed.
    """

    def zero(self, value: dict[str, int]) -> dict[str, int]:
        """Return no videos."""
        return {}

    def addInPlace(self, value1: dict[str, int], value2: dict[str, int]) -> dict[str, int]:  # noqa: N802
        """Add the stages of `value2`, by the key of their first video."""
        for key, stage in value2.items():
            # A task that is tried again is of the same stage.
            if value1.get(key, stage) != stage and _SAID not in value1:
                logger.warning(_HINT)
                value1[_SAID] = 0
            if len(value1) < _MOST:
                value1.setdefault(key, stage)
        return value1


def first_video_key(video: object, *settings: object) -> str:
    """Return a key that is equal for equal videos that are sampled with equal settings."""
    head = bytes(video[:1000]) if isinstance(video, memoryview) else video
    size = len(video) if isinstance(video, memoryview) else 0
    return hashlib.sha256(repr((head, size, settings)).encode()).hexdigest()[:32]
