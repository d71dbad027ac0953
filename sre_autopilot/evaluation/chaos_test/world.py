"""What a trial needs of a world: its parts can be killed, and it can say what is left of them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

ONE_REPLICA, SEVERAL_REPLICAS, EVERYTHING = "replica", "replicas", "everything"
"""The kinds of kills that every world has."""


class WorldFailed(Exception):
    """The world could not be started (again)."""


@dataclass(frozen=True, slots=True)
class Victims:
    """What is killed at once.

    names: for people.
    handles: what the world kills them by.
    doomed: what must end with them, victims included, as the world sees it.
    ends_server: whether the server is among them, or ends with them.
    """

    names: tuple[str, ...] = ()
    handles: tuple[Any, ...] = ()
    doomed: Any = None
    ends_server: bool = False


def drawn_replicas(kind: str, replicas: Sequence[T], draws: random.Random) -> list[T]:
    """The replicas that a kill of ONE_REPLICA or SEVERAL_REPLICAS is for, in the order of kills."""
    if kind == ONE_REPLICA:
        return draws.sample(replicas, min(1, len(replicas)))
    return draws.sample(replicas, draws.randint(min(2, len(replicas)), len(replicas)))


class World(Protocol):
    """One world of its own, which nothing else plays in.

    kinds: what can be killed.
    patience_s: how long after a kill the next reset may still be refused as unavailable, s.
    """

    @property
    def kinds(self) -> Sequence[str]: ...

    @property
    def url(self) -> str: ...

    @property
    def patience_s(self) -> float: ...

    async def start(self) -> None:
        """Starts what a kill has ended and nothing else brings back. Raises WorldFailed."""

    def victims(self, kind: str, draw: int) -> Victims:
        """What to kill now, chosen by `draw`; nothing where no such part runs."""

    def kill(self, victims: Victims) -> None:
        """SIGKILL to all of them, one right after the other."""

    def residues(self, victims: Victims, *, renewed: bool = False) -> list[str]:
        """What is left that must be gone once these are dead.

        renewed: whether a reset has gone on after the kill, so that a new mesh is expected where
            they end the old one.
        """

    def unwell(self) -> list[str]:
        """What is wrong with the world just after a reset: too much, too little, still impaired."""

    def record(self, episode_id: str) -> tuple[str, str | None]:
        """What the grader says of an episode's record, and what is wrong with that, if anything."""
