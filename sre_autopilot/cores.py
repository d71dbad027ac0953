"""How many CPUs this process may keep busy, read from the kernel. Standard library only."""

import os
from pathlib import Path

UNLIMITED = "max"


def usable_cores(root: Path = Path("/")) -> float:
    """The CPUs of this process's affinity, or the quota of its control group where that is less.

    root: where /sys is found.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = file_words(root / "sys/fs/cgroup/cpu.max")
    if len(quota) == len(("quota", "period")) and quota[0] != UNLIMITED:
        return min(float(count), int(quota[0]) / int(quota[1]))
    quota_us = file_words(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period_us = file_words(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota_us and period_us and int(quota_us[0]) > 0:
        return min(float(count), int(quota_us[0]) / int(period_us[0]))
    return float(count)


def file_lines(file: Path) -> list[str]:
    """Of a file that need not exist."""
    try:
        return file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def file_words(file: Path) -> list[str]:
    """The same, split at white space."""
    return " ".join(file_lines(file)).split()
