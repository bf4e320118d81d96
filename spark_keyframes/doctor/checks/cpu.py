"""The CPU: how many there are, and how CLIP computes on them."""

import platform
from collections.abc import Iterator
from pathlib import Path

from spark_keyframes.clip.precision import cpu_multiplies_bfloat16
from spark_keyframes.doctor.finding import Finding, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.system import allowed_cpus, usable_cpus

_FLAGS = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX"}


def check(_: Options) -> Iterator[Finding]:
    """Look at the CPUs, and ask what `dtype="float16"` would be on them."""
    cpus, allowed = usable_cpus(), allowed_cpus()
    found = f"{cpus} × {platform.machine()}"
    if features := _features():
        found += f" with {', '.join(features)}"
    if cpu_multiplies_bfloat16():
        yield good("CPU", f"{found}; CLIP multiplies in bfloat16")
    else:
        yield note(
            "CPU",
            f"{found}; CLIP computes in float32, as there is no hardware for bfloat16",
            "it is right, but slower; a CPU with AVX512-BF16 or AMX, or a GPU, is faster",
        )
    if allowed is not None and allowed < cpus:
        yield note(
            "CPU quota",
            f"this container may use {allowed:g} CPUs, and sees {cpus}",
            f"outside of Spark, set OMP_NUM_THREADS={max(1, round(allowed))}: threads beyond the "
            "quota wait for one another",
        )


def _features() -> list[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux
        return []
    flags = set(text.partition("flags")[2].partition("\n")[0].split())
    return [name for flag, name in _FLAGS.items() if flag in flags]
