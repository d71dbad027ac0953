"""Memory of a process by proportional share: forked processes share most of their pages.

Standard library only: the zygote, which loads the services later, reads it too.
"""

from pathlib import Path


def proportional_bytes(pid: int | str = "self", proc: Path = Path("/proc")) -> int:
    """Memory that a process accounts for, shared pages divided by their sharers (PSS).

    Reads /proc/PID/smaps_rollup, or smaps where the kernel has no sum of it (before Linux 4.14,
    gVisor). Raises FileNotFoundError or ProcessLookupError where there is no such process, and
    ValueError where the kernel does not say.
    """
    folder = proc / str(pid)
    rollup = folder / "smaps_rollup"
    smaps = rollup if rollup.exists() else folder / "smaps"
    parts = [line for line in smaps.read_bytes().splitlines() if line.startswith(b"Pss:")]
    if not parts:
        raise ValueError(f"{smaps} has no Pss line")
    return sum(int(line.split()[1]) for line in parts) * 1024
