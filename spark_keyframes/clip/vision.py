"""An encoder's vision tower, from pixels to embeddings, as fast as the device allows."""

from __future__ import annotations

import copy
import functools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from spark_keyframes.clip.precision import AUTOCAST_TOLERANCE, TOLERANCE, Precision
from spark_keyframes.clip.preprocess import Preprocessor
from spark_keyframes.clip.versions import embeddings_of

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

_EXACT_BATCH = 4


class VisionTower(Protocol):
    """Computes embeddings of images."""

    tolerance: float
    """how far similarities may be off, see TOLERANCE; 0 in full precision"""

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """Return embeddings of N×3×S×S uint8, of any length, float32 of shape (N, D).

        `exact` computes in float32.
        """
        ...


def vision_tower(model: Any, preprocessor: Preprocessor, precision: Precision) -> VisionTower:
    """Return the vision tower of a model of transformers, which may lose its own."""
    if precision == "float16":
        return HalfTower(model, preprocessor)
    from spark_keyframes.clip.packed_tower import can_pack, fault_of_operators

    if can_pack(model):
        fault = fault_of_operators(_dtype_of(precision))
        if not fault:
            return PackedTower(model, preprocessor, precision)
        _warn_of_fault(fault)
    logger.info("the vision tower is computed by transformers")
    return TransformersTower(model, preprocessor, precision)


def _dtype_of(precision: Precision) -> torch.dtype:
    """Return the dtype of the packed weights."""
    import torch

    return torch.bfloat16 if precision == "bfloat16" else torch.float32


@functools.cache
def _warn_of_fault(fault: str) -> None:
    """Warn once in a process, which may load several models."""
    logger.warning(
        "%s: transformers computes the vision tower, which gives the same scores and takes 1.5 to "
        "2.5 times as long on a CPU; install a newer torch",
        fault,
    )


class TransformersTower:
    """Computed by transformers: on GPUs, and for models that cannot be packed."""

    def __init__(self, model: Any, preprocessor: Preprocessor, precision: Precision) -> None:
        self._model = model
        self._preprocessor = preprocessor
        self._precision = precision
        self.tolerance = AUTOCAST_TOLERANCE.get(precision, 0.0)

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """See VisionTower."""
        import torch

        lower = self._precision == "bfloat16" and not exact
        model = self._model
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=lower), _exactly(model):
            normal = self._preprocessor.normalise(pixels.to(model.device, non_blocking=True))
            output = model.get_image_features(pixel_values=normal.to(model.dtype))
        return embeddings_of(output).float()


_flags = threading.Lock()  # cuDNN's are of the process


@contextmanager
def _exactly(model: Any) -> Iterator[None]:
    """Compute a model of float32 on a GPU in float32: cuDNN would round pixels to 10 bits, TF32."""
    import torch

    if model.device.type != "cuda" or model.dtype != torch.float32:
        yield
        return
    with _flags, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


class HalfTower:
    """Computed by transformers in float16, on GPUs; exact from the model's weights in float32.

    The copy in float16 takes 0.3 GB of the GPU's memory for ViT-B/32.
    """

    def __init__(self, model: Any, preprocessor: Preprocessor) -> None:
        self.tolerance = TOLERANCE["float16"]
        self._half = TransformersTower(copy.deepcopy(model).half(), preprocessor, "float16")
        self._exact = TransformersTower(model, preprocessor, "float32")

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """See VisionTower."""
        return (self._exact if exact else self._half).embed(pixels)


class PackedTower:
    """Computed with packed weights, on CPUs; see PackedVision.

    In bfloat16, exact embeddings are computed from the model's own weights. That takes a fifth to a
    third longer than a second packed copy, which would need 0.4 GB. In float32 the model loses its
    own vision tower.

    Exact embeddings are computed for few frames at a time. 16 of them would add 90 MB to the peak,
    and only in long videos, where that many are contested. A batch of 4 adds nothing, and takes 2 %
    longer.
    """

    def __init__(self, model: Any, preprocessor: Preprocessor, precision: Precision) -> None:
        import torch

        from spark_keyframes.clip.packed_tower import PackedVision, multiply_with_onednn

        self.tolerance = TOLERANCE.get(precision, 0.0)
        multiply_with_onednn(model)
        with torch.inference_mode():
            self._packed = PackedVision(
                model.vision_model,
                model.visual_projection.weight,
                mean=preprocessor.mean,
                std=preprocessor.std,
                dtype=_dtype_of(precision),
            )
        self._exact: VisionTower | None = None
        if precision == "bfloat16":
            self._exact = TransformersTower(model, preprocessor, "float32")
        else:
            del model.vision_model, model.visual_projection

    def embed(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """See VisionTower."""
        if exact and self._exact is not None:
            import torch

            parts = torch.split(pixels, _EXACT_BATCH)
            return torch.cat([self._exact.embed(part) for part in parts])
        return self._packed(pixels)
