"""The interface of callbacks: hooks around each video, called in the worker."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import CallbackError, KeyframesError
from spark_keyframes.hooks import call_all, calling, short_repr, torn_down
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import Answers, Failure, Keyframes

if TYPE_CHECKING:
    import torch


class Callback:
    """Hooks around each video. Subclass it, and override what you need.

    A callback must be picklable: each Spark task works with a copy, and `sample()` with the object
    itself. So create locks and files in `setup`, and delete them in `teardown`. These two are
    called once for each task, and what they raise ends the job. The others are called in the
    video's thread, so for several videos at once. What they raise fails the row with CallbackError,
    which names the class. Several callbacks are called in the order given.
    """

    needs_images: bool = False
    """True: `on_keyframes` gets the images, also with `return_keyframes=False`."""

    def __repr__(self) -> str:
        return short_repr(self)

    def setup(self, module: KeyframesModule, device: "torch.device") -> None:
        """Prepare for the videos of a task; the module is set up on `device`."""

    def on_video_start(self, source: str, text: Any) -> None:
        """Called before a video is opened.

        Args:
            source: its URL without credentials, or `video_src_type` for base64 and bytes.
            text: what its frames are compared with; a list where there are several texts.
        """

    def on_keyframes(self, keyframes: Keyframes) -> None:
        """Called when the keyframes are chosen, for each text, and before images are stored.

        Args:
            keyframes: `tos_paths` is empty still; `images` only with `return_keyframes=True` or
                `needs_images`.
        """

    def on_video_end(self, source: str, outcome: Keyframes | Answers | Failure) -> None:
        """Called when a video has its result, stored images included, or has failed.

        Args:
            source: as in `on_video_start`; for base64 and bytes that were opened, their name.
            outcome: its keyframes, or why it has none; Answers where there are several texts.
        """

    def teardown(self) -> None:
        """Called after the last video of a task, also when the task failed."""


@dataclass(frozen=True)
class Callbacks:
    """All callbacks of a run, as one."""

    callbacks: Sequence[Callback] = ()

    @property
    def need_images(self) -> bool:
        """Whether one asks for images."""
        return any(callback.needs_images for callback in self.callbacks)

    @property
    def want_keyframes(self) -> bool:
        """Whether one overrides `on_keyframes`."""
        base = Callback.on_keyframes
        return any(type(callback).on_keyframes is not base for callback in self.callbacks)

    @contextmanager
    def running(self, module: KeyframesModule, device: "torch.device") -> Iterator[None]:
        """Set all up, and tear down those that were set up, each in the order given."""
        begun: list[Callback] = []
        with torn_down(lambda: call_all(_steps(begun, "teardown", "clip"))):
            for callback in self.callbacks:
                call_all(_steps([callback], "setup", "clip", module, device))
                begun.append(callback)
            yield

    def video_start(self, source: str, text: Any) -> None:
        """Call `on_video_start` of each, also where one fails: each gets an `on_video_end` too."""
        call_all(_steps(self.callbacks, "on_video_start", "open", source, text))

    def keyframes(self, keyframes: Keyframes) -> None:
        """Call `on_keyframes` of each, up to one that fails."""
        for step in _steps(self.callbacks, "on_keyframes", "select", keyframes):
            step()

    def video_end(
        self, source: str, outcome: Keyframes | Answers | Failure
    ) -> Keyframes | Answers | Failure:
        """Call `on_video_end` of each, also where one fails; return the outcome, or the failure."""
        for callback in self.callbacks:
            try:
                call_all(_steps([callback], "on_video_end", "upload", source, outcome))
            except KeyframesError as error:
                if not isinstance(outcome, Failure):
                    outcome = Failure.of(error, "upload", source, account=outcome.account)
        return outcome


def _steps(
    callbacks: Iterable[Callback], hook: str, stage: str, *arguments: object
) -> Iterator[Callable[[], None]]:
    """Calls of a hook of each; an error becomes a CallbackError of `stage`."""

    def call(callback: Callback) -> None:
        with calling(hook, callback, CallbackError, stage):
            getattr(callback, hook)(*arguments)

    return (partial(call, callback) for callback in callbacks)
