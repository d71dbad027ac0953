"""What a program has not closed is closed when it ends: its threads would be waited for."""

import atexit
import os
from typing import Protocol
from weakref import WeakKeyDictionary


class Closable(Protocol):
    """Whatever has to be closed."""

    def close(self) -> None: ...


_OPEN: WeakKeyDictionary[Closable, int] = WeakKeyDictionary()
"""With the process that opened it: a fork has none of its threads."""


def close_at_exit(opened: Closable) -> None:
    """Closes it at the latest when this process ends. To close twice must do no harm."""
    _OPEN[opened] = os.getpid()


@atexit.register
def _close_all() -> None:
    for opened, pid in list(_OPEN.items()):
        if pid == os.getpid():
            opened.close()
