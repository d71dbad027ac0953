"""Which episodes there are: a tier and a seed, under a name that never changes."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.models import parse_name
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, SEED_SPLITS, Tier

NO_SPLIT = "none"
"""Of seeds outside of every split."""


class Task(NamedTuple):
    """One episode: always the same fault."""

    tier: Tier
    seed: int

    @property
    def key(self) -> str:
        """Its name in data sets and logs, such as hard-17."""
        return f"{self.tier}-{self.seed}"

    @property
    def split(self) -> str:
        """The split that its seed belongs to."""
        return next((name for name, seeds in SEED_SPLITS.items() if self.seed in seeds), NO_SPLIT)

    @classmethod
    def parse(cls, key: str) -> Self:
        """The task called `key`. Raises UnknownName, InvalidValue."""
        tier, _, seed = key.partition("-")
        if not (seed.isascii() and seed.isdigit()):
            raise InvalidValue("task", key, "a tier and a seed, such as hard-17")
        return cls(parse_name(Tier, "task_tier", tier), int(seed))


def tasks_of(split: str, seeds: int, tiers: Sequence[str] = DEFAULT_TIERS) -> list[Task]:
    """The first `seeds` seeds of a split, each on every tier; the tiers take turns.

    Raises UnknownName for a split or tier that does not exist, InvalidValue for more seeds than the
    split has.
    """
    if split not in SEED_SPLITS:
        raise UnknownName("split", split, SEED_SPLITS)
    there_are = SEED_SPLITS[split]
    if not 1 <= seeds <= len(there_are):
        raise InvalidValue("seeds", seeds, f"from 1 to {len(there_are)}")
    parsed = [parse_name(Tier, "task_tier", tier) for tier in tiers]
    return [Task(tier, seed) for seed in there_are[:seeds] for tier in parsed]
