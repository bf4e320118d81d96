"""Shows a progress bar on the driver while Spark samples videos.

In a classic session it counts videos by accumulators, and tasks by Spark's status tracker.
Over Connect it counts tasks only.
"""

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from spark_keyframes.spark.monitoring.terminal import open_terminal
from spark_keyframes.spark.monitoring.video_counter import (
    VideoCounter,
    VideoCounts,
    video_counter,
)
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark import StatusTracker
    from pyspark.sql import SparkSession

logger = logging.getLogger("spark_keyframes")

_SECONDS_BETWEEN = 1.0
_SECONDS_TO_END = 5.0


@contextlib.contextmanager
def progress(
    spark: "SparkSession", *, total: int | Callable[[], int] | None = None
) -> Iterator[None]:
    """Show a progress bar while an action runs.

        result = sampler.transform(videos)
        with progress(spark, total=videos.count):
            result.write.parquet("out")

    The bar shows videos, the time left, videos done and failed, decoded frames per second, and the
    tasks of the stages at work. Videos and frames are counted when their task ends. Every
    `transform` of the application counts, streams included; `udf` does not. Over Connect the bar
    counts tasks, from Spark 4.0 on.

    In a notebook the bar is a widget or a line. In a terminal, or under spark-submit in a
    terminal, it is a line on stderr. Elsewhere, and with TQDM_DISABLE=1, there is no bar. Errors
    of the bar never reach the caller: they are logged at level DEBUG.

    Args:
        spark: the session that runs the action.
        total: the number of videos, or a function that returns it. The function is called only
            where there is a bar. Without a total, the bar shows no time left.

    Yields:
        Nothing. Run the action inside the `with` block.
    """
    bar = contextlib.ExitStack()
    with _logged_only():
        _start(spark, total, bar)
    try:
        yield
    finally:
        with _logged_only():
            bar.__exit__(*sys.exc_info())  # the Connect bar ends differently after an error


@contextlib.contextmanager
def _logged_only() -> Iterator[None]:
    """Log errors of the bar, and keep them from the job."""
    try:
        yield
    except Exception:
        logger.debug("the progress bar failed", exc_info=True)


def _start(
    spark: "SparkSession", total: int | Callable[[], int] | None, stack: contextlib.ExitStack
) -> None:
    """Open the bar where there is a terminal, and register its end with `stack`."""
    terminal = open_terminal()
    if terminal is None:
        return
    if terminal is not sys.stderr:
        stack.callback(terminal.close)
    counter = video_counter(spark)
    if counter is None and not (is_connect(spark) and hasattr(spark, "registerProgressHandler")):
        return  # Connect before Spark 4.0, or a cluster that forbids a SparkContext
    if counter is None:
        total = None  # it would be a number of videos, and the bar counts tasks
    elif callable(total):
        total = total()
    unit = "task" if counter is None else "video"
    from tqdm.auto import tqdm

    bar = tqdm(
        total=total,
        desc=f"{unit}s",
        unit=unit,
        file=terminal,
        dynamic_ncols=True,
        smoothing=0,  # tasks end in bursts, which a moving average would show as a changing speed
    )
    stack.callback(bar.close)
    if bar.disable:
        return
    if counter is not None:
        stack.enter_context(_updated(bar, counter, spark.sparkContext.statusTracker()))
    else:
        handler: Any = _ConnectHandler(bar)
        spark.registerProgressHandler(handler)
        stack.callback(spark.removeProgressHandler, handler)
        stack.push(handler.end)


@contextlib.contextmanager
def _updated(bar: Any, counter: VideoCounter, tracker: "StatusTracker") -> Iterator[None]:
    """Draw the bar every second in a thread of its own, and once at the end."""
    before = counter.counts
    stopped = threading.Event()

    def counted() -> VideoCounts:
        return VideoCounts(*(now - then for now, then in zip(counter.counts, before, strict=True)))

    def watch() -> None:
        with _logged_only():
            while not stopped.wait(_SECONDS_BETWEEN):
                _draw(bar, counted(), _tasks(tracker))

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_SECONDS_TO_END)
        # Spark adds the counts of the last task before its action returns.
        _draw(bar, counted(), [])


def _tasks(tracker: "StatusTracker") -> list[str]:
    """Return how many tasks of the stages at work have ended, and how many run."""
    stages = [tracker.getStageInfo(number) for number in tracker.getActiveStageIds()]
    known = [stage for stage in stages if stage is not None]  # a stage may end meanwhile
    if not known:
        return []
    ended = sum(stage.numCompletedTasks for stage in known)
    running = sum(stage.numActiveTasks for stage in known)
    return [f"tasks {ended}/{sum(stage.numTasks for stage in known)}", f"{running} running"]


def _draw(bar: Any, counts: VideoCounts, tasks: list[str]) -> None:
    words = []
    if counts.videos:
        words = [f"{counts.done} done", f"{counts.failed} failed"]
        elapsed = bar.format_dict["elapsed"]
        if counts.frames and elapsed:
            words.append(f"{counts.frames / elapsed:.0f} frames/s")
    bar.set_postfix_str(", ".join(words + tasks), refresh=False)
    # A task that is run again may count twice.
    bar.n = counts.videos if bar.total is None else min(counts.videos, bar.total)
    bar.refresh()


class _ConnectHandler:
    """Spark Connect calls it with the stages of an action, to draw the bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._actions: dict[str | None, tuple[int, int]] = {}

    def end(self, error: type[BaseException] | None, *_: object) -> None:
        """Count all tasks as ended unless there is an error: the server omits the last ones."""
        if error is None and self._bar.total:
            self._bar.n = self._bar.total

    def __call__(
        self,
        stages: Iterable[Any] | None,
        inflight_tasks: int,
        operation_id: str | None,
        done: bool,
    ) -> None:
        with _logged_only():
            known = list(stages or ())
            if known:
                ended = sum(stage.num_completed_tasks for stage in known)
                self._actions[operation_id] = ended, sum(stage.num_tasks for stage in known)
            self._bar.n = sum(ended for ended, _ in self._actions.values())
            self._bar.total = sum(tasks for _, tasks in self._actions.values()) or None
            running = f"{inflight_tasks} running" if inflight_tasks and not done else ""
            self._bar.set_postfix_str(running, refresh=False)
            self._bar.refresh()
