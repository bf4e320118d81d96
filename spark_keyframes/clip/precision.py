"""How a dtype is carried out on the device at hand."""

import logging
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

Dtype = Literal["float16", "float32"]

Precision = Literal["float32", "float16", "bfloat16"]
"""float32 or float16 weights, or float32 weights with the matrix products in bfloat16"""


TOLERANCE: dict[Precision, float] = {"bfloat16": 1e-4}
"""How far scores may be off before a frame's selection is worth a second, exact look.

A little over the standard deviation of the error on ViT-B/32 with random weights, 8e-5; the largest
is 4e-4. Measured on real clips of 60 to 120 candidates with 20 prompts: bfloat16 alone selects 94
to 100 % of the frames that float32 does, the less the more alike they are; with the second look
99.4 % and more. That costs up to 0.5 looks per keyframe, whatever the video's length.
"""


def resolve_precision(dtype: Dtype, device: "torch.device") -> Precision:
    """The fastest way to carry out `dtype` on `device` that chooses the same frames.

    float16 promises speed. On a GPU it is float16. A CPU is fast at bfloat16 where it multiplies
    it in hardware (AVX512-BF16, AMX), at float16 next to never. Only matrix products are: bfloat16
    throughout triples the error and is hardly faster. Without such hardware: float32.
    """
    if dtype == "float32":
        return "float32"
    if device.type != "cpu":
        return "float16"
    return "bfloat16" if _cpu_multiplies_bfloat16() else "float32"


def _cpu_multiplies_bfloat16() -> bool:
    import torch

    # Private names, absent in some versions of torch; get_capabilities() does not list AMX on all.
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
