"""Single keys of a terminal, without Enter; the terminal is as it was when the context ends."""

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from sre_autopilot.cli.playback import Key

LONGEST_KEY_BYTES = 8
ARROWS = {"\x1b[C": Key.NEXT, "\x1b[D": Key.PREVIOUS, "\x1b[A": Key.FASTER, "\x1b[B": Key.SLOWER}
OTHERS = {"\r": Key.NEXT, "\n": Key.NEXT, "=": Key.FASTER, "\x1b": Key.QUIT, "\x04": Key.QUIT}


def key_of(text: str) -> Key | None:
    """What a terminal's bytes for one key mean; None where they mean nothing here."""
    if text in ARROWS or text in OTHERS:
        return (ARROWS | OTHERS)[text]
    return Key(text) if text in tuple(Key) else None


@contextmanager
def single_keys(descriptor: int) -> Iterator[None]:
    """Has a terminal give each key at once and echo none. Ctrl-C stays what it is."""
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def read_key(descriptor: int, timeout_s: float | None) -> str | None:
    """The bytes of one key as text; None where none came in time. A closed input quits."""
    if not select.select([descriptor], [], [], timeout_s)[0]:
        return None
    return os.read(descriptor, LONGEST_KEY_BYTES).decode(errors="replace") or Key.QUIT
