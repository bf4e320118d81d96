"""The machine and the packages of a measurement, in words."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def versions(python: Path, names: list[str]) -> str:
    """Return the versions of packages in the environment of a Python."""
    code = (
        "import sys, importlib.metadata as m\n"
        "def v(n):\n"
        " try: return m.version(n)\n"
        " except m.PackageNotFoundError: return 'absent'\n"
        "print(', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))"
    )
    return output([str(python), "-c", code, *names])


def output(command: list[str]) -> str:
    """Return what a command prints; "unknown" if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpu_model() -> str:
    """Return the CPU's name, family and instructions for half precision."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    values = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(values.get("flags", "").split())
    half = [name for name in ("avx512_bf16", "amx_bf16") if name in flags]
    family = f"family {values.get('cpu family', '?')} model {values.get('model', '?')}"
    return (
        f"{values.get('model name', 'unknown CPU')} ({family}{', ' * bool(half)}{' '.join(half)})"
    )


def memory() -> str:
    """Return how much memory there is."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"
