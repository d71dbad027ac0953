"""What a person types in `sre-autopilot play`: lines, their completion, and what they mean.

Names may be shortened: to their beginning (`rest`), or to the initials of their parts (`su` for an
action called scale_up). Starts and plays nothing.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from sre_autopilot.errors import UnknownName
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName


class Word(StrEnum):
    """Lines that are no action."""

    HELP = "help"
    TRACES = "traces"
    QUIT = "quit"


WORDS_OF_A_LINE = 2


class Line(NamedTuple):
    """A line that was understood: an action, or a word."""

    action: SREAction | None = None
    word: Word | None = None


def parse_line(line: str) -> Line:
    """Raises UnknownName, InvalidAction, which list the valid values. An empty line waits."""
    words = line.lower().split()
    if not words:
        return Line(SREAction(action=ActionName.WAIT))
    if len(words) > WORDS_OF_A_LINE:
        raise UnknownName("line", line.strip(), ("ACTION SERVICE", *Word))
    name = complete_name("action", words[0], (*ActionName, *Word))
    if name in tuple(Word):
        return Line(word=Word(name))
    fields = {"action": name}
    if len(words) == WORDS_OF_A_LINE:
        fields["service_id"] = complete_name("service_id", words[1], tuple(Service))
    return Line(SREAction.parse(fields))


def complete_name(field: str, word: str, names: Sequence[str]) -> str:
    """The one name that `word` is, or abbreviates. Raises UnknownName where none is, or several.

    A word that is a name stands for it; then initials are tried, then beginnings.
    """
    if word in names:
        return word
    initials = [name for name in names if "_" in name and word == _initials(name)]
    beginnings = [name for name in names if name.startswith(word)]
    for matches in (initials, beginnings):
        if len(matches) == 1:
            return matches[0]
    meant = initials or beginnings
    raise UnknownName(field, word, meant or names, "short for more than one" if meant else "")


def _initials(name: str) -> str:
    return "".join(part[0] for part in name.split("_"))


def candidates(line_so_far: str, word: str) -> list[str]:
    """Names that the last word of a line may become; for the Tab key."""
    earlier_words = line_so_far.removesuffix(word).split()
    names: Iterable[str] = Service if earlier_words else (*ActionName, *Word)
    return [f"{name} " for name in names if name.startswith(word)]


class TerminalLines:
    """Lines typed at a terminal: edited, with a history, completed by Tab where readline exists."""

    def __init__(self) -> None:
        try:
            import readline
        except ImportError:  # Python is built without it, as on some machines
            return
        readline.set_completer(self._complete)
        readline.set_completer_delims(" ")
        readline.parse_and_bind("tab: complete")

    def read(self, prompt: str) -> str | None:
        """The next line without its end; None where the input is over (Ctrl-D)."""
        try:
            return input(prompt)
        except EOFError:
            return None

    def _complete(self, word: str, index: int) -> str | None:
        import readline

        names = candidates(readline.get_line_buffer(), word)
        return names[index] if index < len(names) else None


class PipedLines:
    """Lines from a file or a pipe; each is echoed, so that the output reads as a terminal's."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo

    def read(self, prompt: str) -> str | None:
        """The next line without its end; None where the input is over."""
        line = sys.stdin.readline()
        self._echo(prompt + line.rstrip("\n"))
        return line.rstrip("\n") if line else None
