"""The share of the CPU that a mesh gets beside other programs, where this user may raise it."""

import contextlib
import os
from pathlib import Path

NICE = -10
"""About nine times the weight of an ordinary program (Linux, sched_prio_to_weight)."""


def raise_priority(proc: Path = Path("/proc")) -> bool:
    """Gives the calling process and its later children NICE; whether that was permitted.

    Linux weighs sessions before processes where it groups them (sched(7), "The autogroup feature"),
    so the group of the caller's session is raised too. Needs root or CAP_SYS_NICE.
    """
    raised = False
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        raised = True
    with contextlib.suppress(OSError):  # not permitted, or a kernel without the feature
        (proc / "self/autogroup").write_text(f"{NICE}\n", encoding="ascii")
    return raised
