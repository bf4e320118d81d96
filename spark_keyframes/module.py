"""The science of the job, apart from the machinery that runs it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.clip import Clip, load_clip
from spark_keyframes.parameters import Parameters
from spark_keyframes.selection import Selector, Survivors, contested, make_selector
from spark_keyframes.video import Decoder, Source, make_decoder, open_source

if TYPE_CHECKING:
    import torch


class KeyframesModule:
    """What to do with a video: which frames, which pixels, which scores, which of them win.

    In the manner of a LightningModule: an engine calls the hooks, first `setup`, and decides when,
    where and how many at once. This class knows nothing of Spark, threads or storage. Pickled, it
    is its parameters; the model belongs to the process (see `load_clip`).
    """

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.selector: Selector = make_selector(
            parameters.selector,
            max_num_frames=parameters.max_num_frames,
            t1=parameters.t1,
            t2=parameters.t2,
            all_depth=parameters.all_depth,
        )
        self._clip: Clip | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_clip": None}

    @property
    def clip(self) -> Clip:
        """The model; RuntimeError before `setup`."""
        if self._clip is None:
            raise RuntimeError("call setup(device) first: the model is not loaded")
        return self._clip

    def setup(self, device: "torch.device") -> None:
        """Load the model on `device`, or take the one that this process has already.

        Raises ModelNotFoundError or ModelError.
        """
        self._clip = load_clip(
            self.parameters.model_path,
            self.parameters.clip_model_name,
            device=device,
            dtype=self.parameters.dtype,
        )

    def open_source(self, value: Any) -> AbstractContextManager[Source]:
        """The readable bytes of a row's value."""
        return open_source(
            value,
            video_src_type=self.parameters.video_src_type,
            video_format=self.parameters.video_format,
            access=self.parameters.access,
            limits=self.parameters.limits,
        )

    def make_decoder(self, threads: int, *, prefetch: bool = True) -> Decoder:
        """What opens and decodes the videos, with so many threads for all of them."""
        parameters = self.parameters
        return make_decoder(
            parameters.decoder, threads, limits=parameters.limits, prefetch=prefetch
        )

    def preprocess(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """The 3×S×S uint8 picture that CLIP sees of an H×W×3 frame. Any thread may call it."""
        return self.clip.preprocessor.pixels(rgb)

    def predict_step(
        self, pixels: "Sequence[torch.Tensor]", texts: Sequence[str], *, exact: bool = False
    ) -> npt.NDArray[np.float32]:
        """Cosine similarities, float32 of shape (N,), of N frames, each to its own text.

        `exact` leaves out what the model's precision saves: for frames that are too close to call.
        """
        import torch

        return self.clip.similarities(torch.stack(list(pixels)), texts, exact=exact)

    def survivors(self, count: int) -> Survivors:
        """Which of `count` candidates can still be selected, as their scores come in."""
        return Survivors(self.selector, count, margin=2 * self.clip.tolerance)

    def select(self, scores: Sequence[float]) -> list[int]:
        """Indices of the candidates that become keyframes, ascending."""
        return self.selector.select(scores)

    def contested(self, scores: Sequence[float]) -> list[int]:
        """Indices of the candidates whose selection hangs on the precision of their scores."""
        tolerance = self.clip.tolerance
        return contested(self.selector, scores, tolerance) if tolerance else []

    def teardown(self) -> None:
        """Let go of the model; the process keeps it for the next task."""
        self._clip = None
