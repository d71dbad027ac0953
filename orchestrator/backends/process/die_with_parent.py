"""What a child process calls before anything else, so that it never outlives its parent."""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent(by: int = signal.SIGKILL) -> None:
    """The kernel sends a signal to the calling process when the thread that forked it ends; 0 calls
    that off. Linux only.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, by)
