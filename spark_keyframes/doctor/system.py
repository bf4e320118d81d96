"""What the operating system gives this process: CPUs and memory, with the limits of containers."""

import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def usable_cpus() -> int:
    """Return the number of CPUs that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def allowed_cpus(groups: Path = _GROUPS) -> float | None:
    """Return the CPU time per second that the container may use; None: as much as there is."""
    if quota := _read(groups / "cpu.max"):  # cgroup 2
        most, _, period = quota.partition(" ")
        return int(most) / int(period) if most.isdecimal() else None
    quota = _read(groups / "cpu" / "cpu.cfs_quota_us")
    period = _read(groups / "cpu" / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() else None


def memory(groups: Path = _GROUPS) -> tuple[int, int] | None:
    """Return the bytes of memory in all, and those free, of the container or else the machine.

    None where that is not known.
    """
    facts = {}
    for line in _read(Path("/proc/meminfo")).splitlines():
        name, _, value = line.partition(":")
        if value.split()[:1]:
            facts[name] = int(value.split()[0]) * 1024
    if "MemAvailable" not in facts:
        return None
    total, free = facts["MemTotal"], facts["MemAvailable"]
    for most, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, taken = _read(groups / most), _read(groups / used)
        if limit.isdecimal() and taken.isdecimal() and int(limit) < total:
            # Files that the kernel may drop count as used.
            stat = _read((groups / most).with_name("memory.stat")).split()
            dropped = int(stat[stat.index(cache) + 1]) if cache in stat else 0
            total = int(limit)
            free = min(free, max(0, total - int(taken) + dropped))
    return total, free


def gigabytes(count: float) -> str:
    """Return bytes for people: 0.5 GB, 12 GB."""
    value = count / 1e9
    return f"{value:.1f} GB" if value < 10 else f"{value:.0f} GB"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
