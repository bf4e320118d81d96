"""A bar on the driver that says how far Spark is with the videos.

It asks Spark for what Spark counts anyway. In a classic session these are the rows that came out of
the stage, a SQL metric, which executors report with their heartbeats; and a tally of how videos
ended, which they report as a task ends. Over Connect it is tasks.
"""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from spark_keyframes.spark.monitoring.tally import Ends, Tally, tally_of
from spark_keyframes.spark.monitoring.terminal import open_screen
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN = 1.0
_SECONDS_TO_END = 5.0
# Of the actions of a session, the latest that are looked at: a batch of a stream is two.
_LATEST = 20


@contextlib.contextmanager
def progress(
    spark: "SparkSession", *, total: int | Callable[[], int] | None = None
) -> Iterator[None]:
    """Show a bar while an action runs: videos through, time left, videos done and failed, frames/s.

        result = sampler.transform(videos)
        with progress(spark, total=videos.count):
            result.write.parquet("out")

    Videos through are those of all actions in between, streaming ones too, as executors report them
    every 10 seconds (spark.executor.heartbeatInterval) and at the end of a task. What became of
    them, and their frames, is known of tasks that have ended; frames/s takes the others to be
    alike. Over Connect the bar counts tasks.

    In a notebook it is a widget, or a line; in a terminal a line of stderr, that of spark-submit
    where it runs this program. Where nobody looks, or with TQDM_DISABLE=1, there is none. It never
    raises: what goes wrong with it is logged at level DEBUG.

    Arguments:
        spark: the session of the action.
        total: videos that there are, or what tells it, which is called only where there is a bar;
            None: not known, and neither is the time left.
    """
    shown = contextlib.ExitStack()
    with _harmless():
        _show(spark, total, shown)
    try:
        yield
    finally:
        with _harmless():
            shown.__exit__(*sys.exc_info())  # the bar ends otherwise where the action failed


@contextlib.contextmanager
def _harmless() -> Iterator[None]:
    """Let no error of the bar become one of the job."""
    try:
        yield
    except Exception:
        logger.debug("no progress bar any more", exc_info=True)


def _show(
    spark: "SparkSession",
    total: int | Callable[[], int] | None,
    shown: contextlib.ExitStack,
) -> None:
    screen = open_screen()
    if screen is None:
        return
    if screen is not sys.stderr:
        shown.callback(screen.close)
    from tqdm.auto import tqdm

    connect = is_connect(spark)
    if connect:
        total = None  # of tasks
    elif callable(total):
        total = total()
    bar = tqdm(
        total=total,
        desc="tasks" if connect else "videos",
        unit="task" if connect else "video",
        file=screen,
        dynamic_ncols=True,
        smoothing=0,  # what comes every 10 seconds looks like haste and rest to a moving average
    )
    shown.callback(bar.close)
    if bar.disable:
        return
    if connect:
        if not hasattr(spark, "registerProgressHandler"):
            return  # before Spark 4.0
        handler: Any = _ConnectHandler(bar)
        spark.registerProgressHandler(handler)
        shown.callback(spark.removeProgressHandler, handler)
        shown.push(handler.end)
    else:
        shown.enter_context(_watched(_Actions(spark), tally_of(spark), bar))


class _Actions:
    """The actions that a classic session has begun since, as Spark's own status has them."""

    def __init__(self, spark: "SparkSession") -> None:
        java: Any = spark
        self._store = java._jsparkSession.sharedState().statusStore()
        before = self._latest()
        self._before = before[-1].executionId() if before else -1
        self._rows: dict[int, int] = {}
        self._ended: set[int] = set()

    @property
    def rest(self) -> bool:
        """Whether each that was seen has ended."""
        return self._rows.keys() == self._ended

    def rows_through(self) -> int:
        """Rows that came out of the stage so far."""
        for action in self._latest():
            number = action.executionId()
            if number > self._before and number not in self._ended:
                # Asked before its numbers: then they are the last ones.
                if action.completionTime().isDefined():
                    self._ended.add(number)
                self._rows[number] = self._rows_of(number)
        return sum(self._rows.values())

    def _latest(self) -> list[Any]:
        count = self._store.executionsCount()
        return _list(self._store.executionsList(max(0, count - _LATEST), _LATEST))

    def _rows_of(self, number: int) -> int:
        metrics = [
            metric.accumulatorId()
            for node in _list(self._store.planGraph(number).allNodes())
            # PythonMapInArrow in 3.5.
            if node.name().endswith("MapInArrow") and "ArrowStage" in node.desc()
            for metric in _list(node.metrics())
            if metric.name() == "number of output rows"
        ]
        if not metrics:
            return 0
        values = self._store.executionMetrics(number)
        found = [values.get(metric) for metric in metrics]
        return sum(int(value.get().replace(",", "")) for value in found if value.isDefined())


def _list(sequence: Any) -> list[Any]:
    """A sequence of Scala."""
    return [sequence.apply(index) for index in range(sequence.size())]


@contextlib.contextmanager
def _watched(actions: _Actions, tally: Tally | None, bar: Any) -> Iterator[None]:
    """Draw what there is every second, and once at the end; in a thread of its own."""
    before = tally.ends if tally else None
    stopped = threading.Event()

    def draw() -> None:
        through = actions.rows_through()
        ends = None
        if tally and before:
            ends = Ends(*(now - then for now, then in zip(tally.ends, before, strict=True)))
        _draw(bar, through, ends)

    def watch() -> None:
        with _harmless():
            while not stopped.wait(_SECONDS_BETWEEN):
                draw()
            # Spark's status lags a little behind.
            last = time.monotonic() + _SECONDS_TO_END / 2
            while not actions.rest and time.monotonic() < last:
                time.sleep(0.1)
                actions.rows_through()
            draw()

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(_SECONDS_TO_END)


def _draw(bar: Any, through: int, ends: Ends | None) -> None:
    words = []
    if ends and ends.videos:
        through = max(through, ends.videos)
        words = [f"{ends.done} done", f"{ends.failed} failed"]
        elapsed = bar.format_dict["elapsed"]
        if ends.frames and elapsed:
            frames = ends.frames / ends.videos * through
            words.append(f"{frames / elapsed:.0f} frames/s")
    bar.set_postfix_str(", ".join(words), refresh=False)
    bar.n = through
    bar.refresh()


class _ConnectHandler:
    """What Spark Connect calls with the stages of an action."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._actions: dict[str | None, tuple[int, int]] = {}

    def end(self, error: type[BaseException] | None, *_: object) -> None:
        """Take all tasks for ended unless there is an error: the server does not tell the last."""
        if error is None and self._bar.total:
            self._bar.n = self._bar.total

    def __call__(
        self,
        stages: Iterable[Any] | None,
        inflight_tasks: int,
        operation_id: str | None,
        done: bool,
    ) -> None:
        with _harmless():
            known = list(stages or ())
            if known:
                ended = sum(stage.num_completed_tasks for stage in known)
                self._actions[operation_id] = ended, sum(stage.num_tasks for stage in known)
            self._bar.n = sum(ended for ended, _ in self._actions.values())
            self._bar.total = sum(tasks for _, tasks in self._actions.values()) or None
            running = f"{inflight_tasks} running" if inflight_tasks and not done else ""
            self._bar.set_postfix_str(running, refresh=False)
            self._bar.refresh()
