"""BLIP as a module: for a run's second look, or alone."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.clip.precision import Dtype
from spark_keyframes.clip.revision import model_revision
from spark_keyframes.matcher.blip import Blip, BlipFamily, load_blip
from spark_keyframes.module import KeyframesModule

if TYPE_CHECKING:
    import torch


class BlipModule(KeyframesModule):
    """Scores are the probabilities, 0 to 1, that a frame and a text match.

    It is sharper than CLIP and far slower: frame and text go through the model together, so no
    embedding of a frame is of use for the next text. The parameter `rerank` uses it for the best
    candidates alone; as `module` it scores all of them.

    Args:
        model_path: the folder that holds models. Empty: the model is loaded from the Hugging Face
            Hub.
        blip_model_name: the folder of a BlipForImageTextRetrieval below `model_path`, or its name
            on the Hub.
        dtype: float16 is float16 on a GPU, and float32 on a CPU.
    """

    keeps_rgb = False

    def __init__(self, *, model_path: str, blip_model_name: str, dtype: Dtype = "float16") -> None:
        self.model_path = model_path
        self.blip_model_name = blip_model_name
        self.dtype = dtype
        self._blip: Blip | None = None

    @property
    def key(self) -> Hashable:  # type: ignore[override]
        """Where the model is, and how it computes."""
        folder = str(Path(self.model_path).absolute()) if self.model_path else ""
        return folder, self.blip_model_name, self.dtype

    @property
    def model_name(self) -> str:
        """`blip_model_name`."""
        return self.blip_model_name

    @property
    def revision(self) -> str:  # type: ignore[override]
        """A hash of the model's files; see `model_revision` for what is raised."""
        return model_revision(self.model_path, self.blip_model_name, parameter=BlipFamily.parameter)

    def params(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {
            "model_path": self.model_path,
            "blip_model_name": self.blip_model_name,
            "dtype": self.dtype,
        }

    @property
    def blip(self) -> Blip:
        """The model; RuntimeError before `setup`."""
        if self._blip is None:
            raise RuntimeError("call setup(device) first: the model is not loaded")
        return self._blip

    def setup(self, device: "torch.device") -> None:
        """Load the model.

        Raises:
            ModelNotFoundError: there is no model.
            ModelError: the model cannot be used.
        """
        self._blip = load_blip(
            self.model_path, self.blip_model_name, device=device, dtype=self.dtype
        )

    def preprocess(self, rgb: npt.NDArray[np.uint8]) -> "torch.Tensor":
        """Return the 3×S×S uint8 picture that BLIP sees of a frame: the whole, squashed."""
        return self.blip.pixels(rgb)

    def predict_step(
        self, inputs: "Sequence[torch.Tensor]", texts: Sequence[str]
    ) -> "torch.Tensor":
        """Return the probability that each frame and its own text match, float32 of shape (N,)."""
        return self.blip.probabilities(inputs, texts)

    def teardown(self) -> None:
        """Let go of the model."""
        self._blip = None
