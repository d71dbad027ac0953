"""What a player decides, and by which clock: all that `inference.py` needs where no model plays.

Nothing in here needs the client of the endpoint, whose import takes a second of CPU.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from sre_autopilot.models import SREAction

BAD_JSON = (ValueError, LookupError, TypeError, AttributeError, RecursionError)

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Decision(NamedTuple):
    """`error` says why a model's answer was replaced by waiting; `calls` go to the transcript."""

    action: SREAction
    error: str | None = None
    calls: Sequence[Mapping[str, Any]] = ()
