"""CLIP's vision tower: pixels to embeddings, in the fastest way that a device has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

from spark_keyframes.clip.precision import Precision
from spark_keyframes.clip.preprocess import Preprocessor

if TYPE_CHECKING:
    import torch

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
    from spark_keyframes.clip.packed_tower import can_pack

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
    """On CPUs, see PackedVision.

    For exact embeddings beside bfloat16, the model computes as it was loaded: that takes a fifth to
    a third longer than packed weights would, which need 0.4 GB. In float32 the model loses its
    vision tower to this one.
    """

    def __init__(self, model: Any, preprocessor: Preprocessor, precision: Precision) -> None:
        import torch

        from spark_keyframes.clip.packed_tower import PackedVision, multiply_with_onednn

        multiply_with_onednn(model)
        with torch.inference_mode():
            self._packed = PackedVision(
                model.vision_model,
                model.visual_projection.weight,
                mean=preprocessor.mean,
                std=preprocessor.std,
                dtype=torch.bfloat16 if precision == "bfloat16" else torch.float32,
            )
        self._exact: VisionTower | None = None
        if precision == "bfloat16":
            self._exact = TransformersTower(model, preprocessor, "float32")
        else:
            del model.vision_model, model.visual_projection

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """See VisionTower."""
        if exact and self._exact is not None:
            return self._exact.embed(pixels)
        return self._packed(pixels)
