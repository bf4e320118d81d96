"""GPUs: what torch finds, what the driver finds, and whether one computes and decodes."""

import os
import shutil
import subprocess
from collections.abc import Iterator

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.errors import AcceleratorError
from spark_keyframes.video import make_decoder

_SECONDS = 20.0


def check(options: Options) -> Iterator[Finding]:
    """Compute something on each GPU, or say why there is none."""
    import torch

    assigned = ", ".join(options.assigned_gpus)
    if torch.cuda.is_available():
        yield from _compute(assigned)
        return
    driver = _of_driver()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not driver and not assigned:
        yield good("GPU", "none: CLIP computes on the CPU, and videos are decoded there")
    elif visible is not None and not assigned and visible.strip() in ("", "-1"):
        yield note(
            "GPU",
            f"{driver}, hidden by CUDA_VISIBLE_DEVICES={visible!r}: CLIP computes on the CPU",
            "unset CUDA_VISIBLE_DEVICES to use it",
        )
    else:
        what = f"Spark assigned GPU {assigned}" if assigned else driver
        why = "is built without CUDA" if torch.version.cuda is None else "finds no CUDA device"
        yield bad(
            "GPU",
            f"{what}, but torch {torch.__version__} {why}: CLIP computes on the CPU",
            "install a torch for your driver's CUDA, see pytorch.org/get-started"
            if torch.version.cuda is None
            else f"the driver must be new enough for CUDA {torch.version.cuda}: see nvidia-smi",
        )


def _compute(assigned: str) -> Iterator[Finding]:
    import torch

    for index in range(torch.cuda.device_count()):
        device = torch.device("cuda", index)
        facts = torch.cuda.get_device_properties(device)
        name = f"{facts.name}, {facts.total_memory / 1e9:.0f} GB"
        try:
            ones = torch.ones(256, 256, device=device, dtype=torch.float16)
            total = float((ones @ ones)[0, 0])
        except RuntimeError as error:
            yield bad(
                "GPU",
                f"{index}: {name}, does not compute: {str(error).splitlines()[0]}",
                "see nvidia-smi for what uses it, and whether torch supports this GPU",
            )
            continue
        if total != 256:
            yield bad("GPU", f"{index}: {name}, multiplies wrongly", "do not use this GPU")
            continue
        at = f"; Spark assigned GPU {assigned}" if assigned else ""
        yield good("GPU", f"{index}: {name}, CUDA {torch.version.cuda}; float16 computes{at}")
        yield _decoders(index, name)


def _decoders(index: int, name: str) -> Finding:
    """Say whether the GPU decodes videos."""
    try:
        make_decoder("gpu", 1, card=index).close()
    except AcceleratorError as error:
        return note("GPU", f"{index}: {name}, decodes no videos, CPUs do", str(error))
    return good("GPU", f'{index}: {name}, decodes videos with decoder="gpu" and "auto"')


def _of_driver() -> str:
    """Return the GPUs that nvidia-smi lists, as text; "" for none."""
    program = shutil.which("nvidia-smi")
    if not program:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - the driver's own program
            [program, "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=_SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi fails ({type(error).__name__})"
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not lines:
        return ""
    return f"{len(lines)} GPU(s) with the driver ({lines[0]})"
