"""Runs a module over a stream of requests in one process: many videos at a time, one model.

Each video has a thread of its own (see VideoTask). The thread that iterates over `run` scores the
candidates of all videos in shared batches. Outcomes come in the order of the requests. Videos in
flight, queued inputs and kept frames are bounded.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_keyframes.callback import Callback, Callbacks
from spark_keyframes.device import task_cpus
from spark_keyframes.engine.request import Outcome, Request, RunContext
from spark_keyframes.engine.scorer import BatchScorer
from spark_keyframes.engine.task import VideoTask
from spark_keyframes.engine.video_log import VideoLog
from spark_keyframes.images.writer import ImageWriter
from spark_keyframes.module import KeyframesModule
from spark_keyframes.parameters import Parameters
from spark_keyframes.ready_modules import ready_module
from spark_keyframes.result import Failure, ImagesAs, VideoFailedError
from spark_keyframes.threads import video_threads
from spark_keyframes.video import Turns, make_decoder
from spark_keyframes.video.frame_cache import ByteBudget

if TYPE_CHECKING:
    import torch

# Finished videos that wait for a slower one before them: per worker, and in bytes of images.
_DONE_AHEAD = 8
_DONE_BYTES = 256 * 2**20
_END = Request(None, None)  # stands behind the last request


@dataclass(frozen=True)
class Pipeline:
    """Runs a module over a stream of requests; picklable. Knows nothing of Spark or CLIP.

    Attributes:
        module: scores the frames.
        parameters: of the operator; those that make the default module do not matter here.
        callbacks: called around each video, in this order.
        writer: stores the keyframes' images; None: they are not stored.
        threads: decode threads of all videos together; None: as many as CPUs.
        workers: videos in flight; None: one more than are decoded at the same time, so that one can
            wait for the network.
        held_bytes: memory for decoded frames that can still be selected. Frames beyond it are
            decoded a second time if they are selected.
        row_bytes: a video whose keyframes' images take more than this fails; None: no limit.
        images_as: what the keyframes hold of their images, with `return_keyframes`.
        embeddings: keep the embeddings of all candidates.
        asks_index: the requests have indexes. Videos are decoded for images and `matcher` only.
        matcher: scores the best candidates again, for the selection; None: nothing does.
    """

    module: KeyframesModule
    parameters: Parameters
    callbacks: Sequence[Callback] = ()
    writer: ImageWriter | None = None
    threads: int | None = None
    workers: int | None = None
    held_bytes: int = 768 * 2**20
    row_bytes: int | None = None
    images_as: ImagesAs = "arrays"
    embeddings: bool = False
    asks_index: bool = False
    matcher: KeyframesModule | None = None

    @property
    def needs_images(self) -> bool:
        """Whether somebody wants the pictures of keyframes."""
        needs = self.parameters.return_keyframes or Callbacks(self.callbacks).need_images
        return needs or self.writer is not None

    def run(
        self,
        requests: Iterable[Request | None],
        *,
        device: "torch.device",
        stop_on_failure: bool = False,
        log_context: Callable[[], Mapping[str, Any]] = dict,
    ) -> Generator[Outcome]:
        """Yield one outcome per request, in order: keyframes, a failure, or None for a null.

        Closing the iterator ends all work.

        Args:
            requests: read a few ahead, in the calling thread. None: there is no request at the
                moment, and one that was given has no outcome yet.
            device: where the module computes.
            stop_on_failure: raise VideoFailedError as soon as a video fails, even if a slower
                video before it is not done.
            log_context: fields for the log lines of single videos, such as Spark's task.

        Raises: only errors that are no single video's fault, such as ModelNotFoundError,
            CredentialsError, or what `setup` of a module or callback raises.
        """
        if self.writer is not None:
            self.writer.check()
        parameters = self.parameters
        threads = self.threads or task_cpus()
        decodes = self.needs_images or self.matcher is not None or not self.asks_index
        card = parameters.rank if parameters.decoder == "gpu" else None
        if device.type == "cuda":
            card = device.index or 0
        only_cpu = threads == 1 and device.type == "cpu"
        callbacks = Callbacks(self.callbacks)
        choice = parameters.make_choice()
        log = VideoLog(slow_seconds=parameters.limits.slow_seconds, context=log_context)
        with contextlib.ExitStack() as stack:
            # Made before the model is loaded, since its processes take time to start. On one CPU,
            # decoding ahead would only evict the batch's data from the caches.
            decoder = stack.enter_context(
                make_decoder(
                    # The decoder of threads starts no process.
                    parameters.decoder if decodes else "thread",
                    threads,
                    limits=parameters.limits,
                    prefetch=not only_cpu,
                    video_stream=parameters.video_stream,
                    card=card,
                )
            )
            workers = self.workers or decoder.videos_at_once + 1
            module = stack.enter_context(ready_module(self.module, device))
            matcher = self.matcher and stack.enter_context(ready_module(self.matcher, device))
            stack.enter_context(callbacks.running(module, device))
            scorer = BatchScorer(
                module,
                parameters.batch_size,
                embeddings=self.embeddings or choice.needs_embeddings,
                pause_decoding=only_cpu,
            )
            context = RunContext(
                module=module,
                parameters=parameters,
                choice=choice,
                callbacks=callbacks,
                scorer=scorer,
                budget=ByteBudget(self.held_bytes),
                decoder=decoder,
                turns=Turns(is_needed=only_cpu and parameters.decoder == "process"),
                writer=self.writer,
                row_bytes=self.row_bytes,
                images_as=self.images_as,
                needs_images=self.needs_images,
                embeddings=self.embeddings,
                matcher=matcher,
            )
            pool = stack.enter_context(video_threads(workers))
            tasks: deque[VideoTask] = deque()
            try:
                yield from _outcomes(
                    requests,
                    context,
                    tasks,
                    pool=pool,
                    workers=workers,
                    log=log,
                    stop_on_failure=stop_on_failure,
                )
            finally:
                # Closed first: an item that a cancelled task submits would never be scored.
                scorer.close()
                for task in tasks:
                    task.cancel()
                decoder.close()
                pool.shutdown(wait=True)
                log.close()


def _outcomes(
    requests: Iterable[Request | None],
    context: RunContext,
    tasks: deque[VideoTask],
    *,
    pool: ThreadPoolExecutor,
    workers: int,
    log: VideoLog,
    stop_on_failure: bool,
) -> Iterator[Outcome]:
    source = iter(requests)
    exhausted = False
    begun = 0
    while tasks or not exhausted:
        log.look(tasks)
        if stop_on_failure:
            _stop_on_failure(tasks, log)
        if tasks and tasks[0].done:
            context.scorer.settle()
            yield _taken_from(tasks.popleft(), log)
        elif not exhausted and _has_room(tasks, workers):
            context.scorer.settle()  # the next request may be a long time in coming
            request = next(source, _END)
            if request is _END:
                exhausted = True
                continue
            if request is None:
                context.scorer.step()
                continue
            task = VideoTask(request, context, row=begun)
            tasks.append(task)
            begun += 1
            if request.is_null:
                task.done = True
            else:
                pool.submit(task.run)
        else:
            context.scorer.step()


def _has_room(tasks: Iterable[VideoTask], workers: int) -> bool:
    """Whether to begin another video.

    Finished videos that wait for a slower one before them do not keep a worker from the next video,
    until there are many of them or they are large.
    """
    waiting = [task for task in tasks if task.done]
    working = sum(not task.done for task in tasks)
    few = len(waiting) < _DONE_AHEAD * workers
    size = sum(getattr(task.outcome, "nbytes", 0) for task in waiting)
    return working < workers and few and size < _DONE_BYTES


def _taken_from(task: VideoTask, log: VideoLog) -> Outcome:
    log.ended(task)
    # A failure's traceback refers to its task: without this, neither would be freed.
    outcome, task.outcome = task.outcome, None
    return outcome


def _stop_on_failure(tasks: Iterable[VideoTask], log: VideoLog) -> None:
    for task in tasks:
        if task.done and isinstance(task.outcome, Failure):
            log.ended(task)
            raise VideoFailedError(task.row, task.outcome)
