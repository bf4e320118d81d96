"""The interface of callbacks: hooks around each video, called in the worker."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spark_keyframes.account import Account
from spark_keyframes.engine.hooks import calling
from spark_keyframes.errors import CallbackError
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import Failure, Keyframes

if TYPE_CHECKING:
    import torch


class Callback:
    """Hooks around each video. Subclass it, and override what you need.

    A callback must be picklable: each task works with a copy of it. `setup` and `teardown` are
    called once for each task, and what they raise ends the job. The others are called in the
    video's thread, so for several videos at once. What they raise fails the row with CallbackError,
    which names the class. Several callbacks are called in the order given.
    """

    needs_images: bool = False
    """True: `on_keyframes` gets the images, also with `return_keyframes=False`."""

    def setup(self, module: KeyframesModule, device: "torch.device") -> None:
        """Prepare for the videos of a task; the module is set up on `device`."""

    def on_video_start(self, source: str, text: str) -> None:
        """Called before a video is opened.

        Args:
            source: its URL without credentials, or `video_src_type` for base64 and bytes.
            text: what its frames are compared with.
        """

    def on_keyframes(self, keyframes: Keyframes) -> None:
        """Called when the keyframes are chosen, and before their images are stored.

        Args:
            keyframes: `tos_paths` is empty still; `images` only with `return_keyframes=True` or
                `needs_images`.
        """

    def on_video_end(self, source: str, outcome: Keyframes | Failure) -> None:
        """Called when a video has its result, stored images included, or has failed.

        Args:
            source: as in `on_video_start`; once the video was opened, the name in messages.
            outcome: its keyframes, or why it has none.
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
        try:
            for callback in self.callbacks:
                with calling("setup", callback, CallbackError, "clip"):
                    callback.setup(module, device)
                begun.append(callback)
            yield
        finally:
            failed: CallbackError | None = None
            for callback in begun:
                try:
                    with calling("teardown", callback, CallbackError, "clip"):
                        callback.teardown()
                except CallbackError as error:
                    failed = failed or error
            if failed is not None:
                raise failed

    def video_start(self, source: str, text: str) -> None:
        """Call `on_video_start` of each."""
        for callback in self.callbacks:
            with calling("on_video_start", callback, CallbackError, "open"):
                callback.on_video_start(source, text)

    def keyframes(self, keyframes: Keyframes) -> None:
        """Call `on_keyframes` of each."""
        for callback in self.callbacks:
            with calling("on_keyframes", callback, CallbackError, "select"):
                callback.on_keyframes(keyframes)

    def video_end(self, source: str, outcome: Keyframes | Failure) -> Keyframes | Failure:
        """Call `on_video_end` of each, also where one fails; return the outcome, or the failure."""
        for callback in self.callbacks:
            try:
                with calling("on_video_end", callback, CallbackError, "upload"):
                    callback.on_video_end(source, outcome)
            except Exception as error:  # noqa: BLE001 - the row's, whatever it is
                if not isinstance(outcome, Failure):
                    account: Account = outcome.account
                    outcome = Failure.of(error, "upload", source, account=account)
        return outcome
