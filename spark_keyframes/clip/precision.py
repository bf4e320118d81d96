"""Chooses how to compute a dtype on the device at hand."""

import logging
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

Dtype = Literal["float16", "float32"]

Precision = Literal["float32", "float16", "bfloat16"]
"""Weights in float32; matrix products in bfloat16, or the whole vision tower in float16."""


TOLERANCE: dict[Precision, float] = {"bfloat16": 1e-4, "float16": 6e-5}
"""Frames whose selection depends on score errors of this size are scored again, exactly.

It is a little over the standard deviation of the error with random weights on ViT-B/32, 8e-5; the
largest error is 4e-4. Measured on real clips of 60 to 120 candidates with 20 prompts, bfloat16
alone selects 94 to 100 % of the frames that float32 selects, fewer if the frames look alike. With
the second look it is 99.4 % and more, for up to 0.5 second looks per keyframe.

Of float16, which is for GPUs, the standard deviation is 4.9e-5 and the largest error 1.5e-4: of 46
real frames and 100 texts with random weights, computed on a CPU.
"""

AUTOCAST_TOLERANCE: dict[Precision, float] = {"bfloat16": 2.5e-4}
"""The same where transformers computes the vision tower, which rounds more often under autocast.

For SigLIP base with random weights, 16 real frames and 500 texts, the standard deviation of the
error is 2.1e-4 after each text's mean is taken off, and the largest error 1.3e-3. Its scores spread
by 2.3e-2, so that the error is as small beside them as with ViT-B/32: 0.9 %.
"""


def resolve_precision(dtype: Dtype, device: "torch.device") -> Precision:
    """Return the fastest way to compute `dtype` on `device` that selects the same frames.

    "float16" asks for speed. On a GPU it is float16. On a CPU with hardware for bfloat16
    (AVX512-BF16, AMX), the matrix products are bfloat16: bfloat16 throughout triples the error and
    is hardly faster. On other CPUs no half precision is faster, so it is float32.
    """
    if dtype == "float32":
        return "float32"
    if device.type != "cpu":
        return "float16"
    return "bfloat16" if cpu_multiplies_bfloat16() else "float32"


def cpu_multiplies_bfloat16() -> bool:
    """Return whether this CPU has hardware for bfloat16 (AVX512-BF16, AMX)."""
    import torch

    # Private names, absent in some versions of torch; get_capabilities() does not list AMX on all.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
