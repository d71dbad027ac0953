"""What a child process calls before anything else, so that it never outlives its parent."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """The kernel kills the calling process when the thread that forked it ends. Linux only."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
