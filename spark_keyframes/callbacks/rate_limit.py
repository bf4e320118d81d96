"""A callback that limits how many videos a task begins per second."""

import math
import threading
import time
from typing import Any

from spark_keyframes.callback import Callback
from spark_keyframes.checks import check_number
from spark_keyframes.errors import ParameterError


class RateLimit(Callback):
    """Lets each task begin at most `videos_per_second` videos, evenly spaced.

    For a server that must not be flooded. The limit of a job is this times the tasks that run at
    the same time.

    Args:
        videos_per_second: above 0; 0.5 is a video every two seconds.

    Raises:
        ParameterError: the value is not above 0 and finite.
    """

    def __init__(self, videos_per_second: float) -> None:
        rate = check_number("videos_per_second", videos_per_second, "use e.g. 2")
        if not 0 < rate < math.inf:
            raise ParameterError(
                f"videos_per_second must be greater than 0 and finite, got {rate}; use e.g. 2"
            )
        self.videos_per_second = rate
        self._lock = threading.Lock()
        self._next = 0.0

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock(), _next=0.0)

    def on_video_start(self, source: str, text: str) -> None:
        """Wait for this video's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(self._next, now)
            self._next = turn + 1 / self.videos_per_second
        time.sleep(turn - now)

    def params(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"videos_per_second": self.videos_per_second}
