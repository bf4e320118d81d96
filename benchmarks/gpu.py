"""Checks and measures all that needs a GPU, on one card, in under eight minutes.

    python -m benchmarks.gpu [--part scoring ...] [--device cpu] [--seconds 420] [--output FILE]

It needs torch, transformers, numpy, pandas, pyarrow, av and Pillow; no Spark, no Java, no network,
and no installation of this package. Videos and models are made in --cache. Each figure is printed
when it is there, and once more in the table at the end. With `--device cpu`, all is as small as
possible: it shows that the script runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import subprocess
import sys
import time
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.inputs import CACHE, VIDEOS
from benchmarks.on_gpu.figures import Figure, Setting

PARTS = ("packages", "faults", "scoring", "decoding", "job", "agreement", "compiled")
"""Modules of benchmarks.on_gpu: first those that show a broken card, last what may take long."""

_PACKAGES = ("torch", "transformers", "av", "numpy", "pandas", "pyarrow", "Pillow", "torchcodec")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", type=device, default="cuda", help="cuda, cuda:1 or cpu")
    parser.add_argument(
        "--seconds", type=float, default=420.0, help="after which no measurement begins"
    )
    parser.add_argument("--output", type=Path, help="a file for all figures, as JSON")
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--videos", type=Path, default=VIDEOS, help="real clips, if there are any")
    options = parser.parse_args()
    if options.device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if options.device.index >= count:
            parser.error(
                f"torch {torch.__version__} finds {count} GPU(s), and not {options.device}; "
                "--device cpu shows that the script runs"
            )
    return options


def device(text: str) -> torch.device:
    """Return the device that an option names."""
    kind, _, number = text.partition(":")
    if kind not in ("cuda", "cpu") or not (number or "0").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not cuda, cuda:1 or cpu")
    return torch.device(kind, int(number or 0)) if kind == "cuda" else torch.device("cpu")


def main() -> int:
    """Run the parts; return 1 if one failed or a goal is missed."""
    options = parsed()
    began = time.monotonic()
    options.cache.mkdir(parents=True, exist_ok=True)
    if options.device.type == "cuda":
        torch.cuda.set_device(options.device)
    setting = Setting(options.device, options.cache, options.videos, began + options.seconds)
    about = machine(setting)
    print("\n".join(f"{name}: {value}" for name, value in about.items()), flush=True)
    figures: dict[str, list[Figure]] = {}
    failed: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for part in options.part:
        if time.monotonic() > setting.deadline:
            setting.left_out.append(part)
            continue
        print(f"\n{part}", flush=True)
        figures[part], start = [], time.monotonic()
        try:
            for figure in importlib.import_module(f"benchmarks.on_gpu.{part}").measure(setting):
                figures[part].append(figure)
                print(figure.row(), flush=True)
        except Exception as error:  # noqa: BLE001 - the other parts are worth the card's time
            traceback.print_exc()
            failed[part] = f"{type(error).__name__}: {error}"
        seconds[part] = time.monotonic() - start
        if options.output:
            options.output.write_text(as_json(about, figures, failed, seconds, setting.left_out))
    show(figures, failed, setting.left_out, time.monotonic() - began)
    missed = any(each.is_met is False for part in figures.values() for each in part)
    return 1 if failed or missed else 0


def machine(setting: Setting) -> dict[str, str]:
    """Return the card and the versions, in words."""
    found = {"python": sys.version.split()[0], "machine": platform.machine()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    if setting.on_gpu:
        asked = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv"]
        try:
            done = subprocess.run(asked, capture_output=True, text=True, check=True)
            found["card"] = done.stdout.strip().splitlines()[-1]
        except (OSError, subprocess.CalledProcessError):
            found["card"] = torch.cuda.get_device_name(setting.device)
        found["CUDA"] = str(torch.version.cuda)
    return found


def as_json(about: dict[str, str], figures: dict[str, list[Figure]], *rest: Any) -> str:
    failed, seconds, left_out = rest
    content = {
        "machine": about,
        "figures": {part: [each.as_json() for each in found] for part, found in figures.items()},
        "failed": failed,
        "seconds": {part: round(value, 1) for part, value in seconds.items()},
        "left_out": left_out,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def show(
    figures: dict[str, list[Figure]], failed: dict[str, str], left_out: list[str], seconds: float
) -> None:
    """Print all figures as one table."""
    print(f"\nall figures, {seconds:.0f} s")
    for part, found in figures.items():
        for figure in found:
            print(figure.row())
        if part in failed:
            print(f"FAILED: {part}: {failed[part]}")
    for what in left_out:
        print(f"left out, the time was over: {what}")


if __name__ == "__main__":
    sys.exit(main())
