"""CLIP's vision tower: pixels to embeddings, in the fastest way that a device has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from spark_keyframes.clip.precision import Precision
from spark_keyframes.clip.preprocess import Preprocessor

if TYPE_CHECKING:
    import torch

    from spark_keyframes.clip.packed import PackedVision

logger = logging.getLogger(__name__)


class VisionTower(Protocol):
    """Embeds images."""

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """Embeddings, float32 of shape (N, D) and of any length, of N×3×S×S uint8.

        `exact` computes in the weights' own precision.
        """
        ...


def vision_tower(model: Any, preprocessor: Preprocessor, precision: Precision) -> VisionTower:
    """The vision tower of a transformers CLIPModel; the model may lose its own by that."""
    from spark_keyframes.clip.packed import can_pack

    if can_pack(model):
        return PackedTower(model, preprocessor, precision)
    logger.info("CLIP's vision tower runs as transformers has it")
    return TransformersTower(model, preprocessor, precision)


class TransformersTower:
    """As transformers computes it: on GPUs, and where the other way is not to be had."""

    def __init__(self, model: Any, preprocessor: Preprocessor, precision: Precision) -> None:
        self._model = model
        self._preprocessor = preprocessor
        self._precision = precision

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """See VisionTower."""
        import torch

        lower = self._precision == "bfloat16" and not exact
        model = self._model
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lower):
            normal = self._preprocessor.normalise(pixels.to(model.device, non_blocking=True))
            features: torch.Tensor = model.get_image_features(
                pixel_values=normal.to(model.dtype)
            ).pooler_output
        return features.float()


class PackedTower:
    """On CPUs, see PackedVision. Takes the vision tower away from the model: it would lie idle."""

    def __init__(self, model: Any, preprocessor: Preprocessor, precision: Precision) -> None:
        import torch

        self._preprocessor = preprocessor
        self._vision, self._projection = model.vision_model, model.visual_projection.weight
        self._layers = list(self._vision.encoder.layers)
        self._exact: PackedVision | None = None
        del model.vision_model, model.visual_projection, self._vision.encoder
        self._fast = (
            self._pack(torch.bfloat16, list(self._layers))
            if precision == "bfloat16"
            else self._exact_vision()
        )

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """See VisionTower."""
        return (self._exact_vision() if exact else self._fast)(pixels)

    def _exact_vision(self) -> PackedVision:
        # Only once it is asked for: it takes twice the memory of the other, and some time.
        if self._exact is None:
            import torch

            self._exact = self._pack(torch.float32, self._layers)
        return self._exact

    def _pack(self, dtype: torch.dtype, layers: list[Any]) -> PackedVision:
        import torch

        from spark_keyframes.clip.packed import PackedVision

        with torch.inference_mode():
            return PackedVision(
                self._vision,
                self._projection,
                layers,
                mean=self._preprocessor.mean,
                std=self._preprocessor.std,
                dtype=dtype,
            )
