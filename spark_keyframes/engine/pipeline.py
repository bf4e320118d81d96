"""Rows in, rows out, in one process: many videos at a time, one model.

Each video has a worker thread that opens, decodes, selects and stores (see VideoTask). The thread
that iterates over `run` scores the candidates of all of them in shared batches. Outcomes come back
in the order of the requests, and everything is bounded: videos in flight, queued pixels, frames
held.
"""

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from spark_keyframes.engine.device import task_cpus
from spark_keyframes.engine.frame_cache import ByteBudget
from spark_keyframes.engine.image_writer import ImageWriter
from spark_keyframes.engine.task import CancelledError, Request, VideoTask
from spark_keyframes.engine.video_log import VideoLog
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import Failure, Keyframes

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

Outcome = Keyframes | Failure | None

_HELD_BYTES = 768 * 2**20

# Results that wait for a slower video before them: for each worker, and in bytes of images.
_DONE_AHEAD = 8
_DONE_BYTES = 256 * 2**20


class VideoFailedError(Exception):
    """A video failed, and the run was to end with that."""

    def __init__(self, number: int, failure: Failure) -> None:
        super().__init__(failure.message)
        self.number = number
        """of its request, from 0"""
        self.failure = failure


class Pipeline:
    """Runs a module over a stream of requests. Knows nothing of Spark or CLIP.

    Arguments:
        module: what to do with each video.
        device: where its model runs.
        writer: stores the keyframes' images; None: they are not stored.
        threads: that decode at a time: one for each video, and for a few videos several; default:
            as many as CPUs.
        workers: videos in flight; default: one more than threads, so that one can wait for the
            network while the others decode.
        held_bytes: memory for decoded frames that can still be selected; beyond it, frames are
            decoded a second time when selected.
        row_bytes: a video whose keyframes take more than this as arrays fails; None: no limit.
    """

    def __init__(
        self,
        module: KeyframesModule,
        *,
        device: "torch.device",
        writer: ImageWriter | None = None,
        threads: int | None = None,
        workers: int | None = None,
        held_bytes: int = _HELD_BYTES,
        row_bytes: int | None = None,
    ) -> None:
        self._module = module
        self._device = device
        self._writer = writer
        self._threads = threads or task_cpus()
        self._workers = workers or self._threads + 1
        self._held_bytes = held_bytes
        self._row_bytes = row_bytes

    def run(
        self, requests: Iterable[Request], *, stop_on_failure: bool = False
    ) -> Generator[Outcome]:
        """Yield one outcome per request, in order: keyframes, a failure, or None for a null.

        `requests` is read a few ahead, in the calling thread. Closing the iterator ends all work.
        Raises only what is no single video's fault, such as ModelNotFoundError
        or CredentialsError; with `stop_on_failure` also VideoFailedError as soon as a video fails,
        be there slower ones before it.
        """
        if self._writer is not None:
            self._writer.check()
        only_cpu = self._threads == 1 and self._device.type == "cpu"
        # Before the model is loaded, since a process takes its time to start, too. On one CPU, to
        # decode ahead would only push the batch's data out of its caches.
        decoder = self._module.make_decoder(self._threads, prefetch=not only_cpu)
        self._module.setup(self._device)
        scorer = _BatchScorer(self._module, by_turns=only_cpu)
        budget = ByteBudget(self._held_bytes)
        tasks: deque[VideoTask] = deque()
        source = iter(requests)
        exhausted = False
        log = VideoLog(logger, slow_seconds=self._module.parameters.limits.slow_seconds)
        begun = 0
        with _video_threads(self._workers) as pool:
            try:
                while True:
                    log.look(tasks)
                    if stop_on_failure:
                        _stop_on_failure(tasks, log)
                    if tasks and tasks[0].done:
                        yield _taken_from(tasks.popleft(), log)
                    elif not exhausted and self._has_room(tasks):
                        request = next(source, None)
                        if request is None:
                            exhausted = True
                            continue
                        task = VideoTask(
                            request,
                            self._module,
                            scorer,
                            budget,
                            decoder,
                            row=begun,
                            writer=self._writer,
                            row_bytes=self._row_bytes,
                        )
                        tasks.append(task)
                        begun += 1
                        if request.video is None or request.text is None:
                            task.done = True
                        else:
                            pool.submit(task.run)
                    elif tasks:
                        scorer.step()
                    else:
                        return
            finally:
                # Closed first: what is submitted after a task's cancelling would never be served.
                scorer.close()
                for task in tasks:
                    task.cancel()
                decoder.close()
                pool.shutdown(wait=True)
                log.close()
                self._module.teardown()

    def _has_room(self, tasks: Iterable[VideoTask]) -> bool:
        """Whether to begin another video.

        Videos that are done, but wait for a slower one before them, do not keep a worker from
        the next, until there are many of them or they are large.
        """
        waiting = [task for task in tasks if task.done]
        working = sum(not task.done for task in tasks)
        few = len(waiting) < _DONE_AHEAD * self._workers
        return working < self._workers and few and sum(map(_size, waiting)) < _DONE_BYTES


def _size(task: VideoTask) -> int:
    if not isinstance(task.outcome, Keyframes):
        return 0
    return sum(image.nbytes for image in task.outcome.images)


@contextlib.contextmanager
def _video_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    import torch

    # Each thread that calls torch gets OpenMP threads of its own: with as many as there are CPUs
    # for each video, they would wait for each other, busily. The model's thread keeps its own.
    # The setting is also the default of threads that start later, so it is put back.
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(
        count,
        thread_name_prefix="video",
        initializer=torch.set_num_threads,
        initargs=(1,),
    ) as pool:
        try:
            yield pool
        finally:
            torch.set_num_threads(threads)


def _taken_from(task: VideoTask, log: VideoLog) -> Outcome:
    log.ended(task)
    # A failure's traceback refers to its task: without this, neither would go.
    outcome, task.outcome = task.outcome, None
    return outcome


def _stop_on_failure(tasks: Iterable[VideoTask], log: VideoLog) -> None:
    for task in tasks:
        if task.done and isinstance(task.outcome, Failure):
            log.ended(task)
            raise VideoFailedError(task.row, task.outcome)


class _Candidate(NamedTuple):
    """A frame that waits for its score."""

    task: VideoTask
    pixels: "torch.Tensor"


class _Doubt(NamedTuple):
    """Frames of a video whose scores were too close to call."""

    task: VideoTask
    pixels: "list[torch.Tensor]"


class _BatchScorer:
    """Collects candidates of several videos into batches; a Scorer for their tasks.

    With `by_turns`, videos are not decoded while a batch is scored, but for a frame that was begun:
    on one CPU they only push each other's data out of its caches, 2 to 6 % of all the work.
    """

    def __init__(self, module: KeyframesModule, *, by_turns: bool = False) -> None:
        self._module = module
        self._batch_size = module.parameters.batch_size
        self._queue: queue.Queue[_Candidate | _Doubt | None] = queue.Queue(2 * self._batch_size)
        self._batch: list[_Candidate] = []
        self._closed = threading.Event()
        self._by_turns = by_turns
        self._scoring = threading.Lock()

    def submit(self, task: VideoTask, pixels: "torch.Tensor") -> None:
        if self._by_turns:
            with self._scoring:
                pass
        self._put(_Candidate(task, pixels))

    def confirm(self, task: VideoTask, pixels: "list[torch.Tensor]") -> None:
        self._put(_Doubt(task, pixels))

    def notify(self) -> None:
        with contextlib.suppress(CancelledError):
            self._put(None)

    def _put(self, item: "_Candidate | _Doubt | None") -> None:
        while not self._closed.is_set():
            try:
                # The timeout only matters on closing: the other side takes no more then.
                return self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
        raise CancelledError

    def step(self) -> None:
        """Wait for news of the tasks; score a batch if one is full, or if a video waits for it.

        Returns after a second without news, too.
        """
        try:
            item = self._queue.get(timeout=1.0)
        except queue.Empty:
            return
        if isinstance(item, _Candidate):
            self._batch.append(item)
        elif isinstance(item, _Doubt):
            began = time.perf_counter()
            scores = self._exact_scores(item)
            item.task.account.seconds["clip"] += time.perf_counter() - began
            item.task.add_confirmed(scores)
        # The last frames of a video do not wait for another video to fill their batch.
        waited_for = self._queue.empty() and any(item.task.decoded for item in self._batch)
        if len(self._batch) == self._batch_size or waited_for:
            self._score()

    def _score(self) -> None:
        batch, self._batch = self._batch, []
        began = time.perf_counter()
        texts = [item.task.request.text or "" for item in batch]
        scores = self._predict([item.pixels for item in batch], texts)
        share = (time.perf_counter() - began) / len(batch)
        for item, score in zip(batch, scores, strict=True):
            item.task.account.seconds["clip"] += share
            item.task.add_score(score)

    def _exact_scores(self, doubt: "_Doubt") -> list[float]:
        text, size = doubt.task.request.text or "", self._batch_size
        scores: list[float] = []
        for start in range(0, len(doubt.pixels), size):
            pixels = doubt.pixels[start : start + size]
            scores += self._predict(pixels, [text] * len(pixels), exact=True)
        return scores

    def _predict(
        self, pixels: "list[torch.Tensor]", texts: list[str], *, exact: bool = False
    ) -> list[float]:
        with self._scoring:
            scores: list[float] = self._module.predict_step(pixels, texts, exact=exact).tolist()
        return scores

    def close(self) -> None:
        """Refuse further submissions and wake whoever waits."""
        self._closed.set()
