"""What is killed and when: trials drawn from a seed, every kind in turn. Pure; kills nothing."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import TypeVar

from orchestrator.actions import ACTIONS
from orchestrator.validation import MAX_SEED
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

T = TypeVar("T")
MOST_STEPS_BEFORE = 4
"""A trial begins with so many steps at most, so that faults that come and go are met both ways."""


class Moment(StrEnum):
    """During which call the kill falls."""

    RESET = "reset"
    STEP = "step"
    IDLE = "idle"
    LAST_STEP = "last_step"
    CLOSE = "close"


MOMENTS = 2 * (Moment.RESET, Moment.STEP, Moment.IDLE, Moment.CLOSE) + (Moment.LAST_STEP,)
"""How often each comes: thirty steps before a kill take as long as ten other kills."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One kill: of what (`kind`, and `draw` to choose among several), and at which moment.

    fraction: where in the call the kill falls, as a share of how long such a call usually takes.
    steps: steps that are played before the call.
    action, service: what the agent does in the call, where it is a step.
    """

    number: int
    kind: str
    moment: Moment
    tier: Tier
    seed: int
    steps: int
    action: ActionName
    service: Service
    fraction: float
    draw: int

    @property
    def episode_id(self) -> str:
        return f"kill-{self.number}"


def draw_trials(kinds: Sequence[str], seed: int) -> Iterator[Trial]:
    """Trials without an end: each tier, action and service comes equally often, kinds as often as
    they are named, and moments as often as MOMENTS names them.
    """
    random_numbers = random.Random(seed)
    kind, moment = _turns(kinds, random_numbers), _turns(MOMENTS, random_numbers)
    tier, service = _turns(tuple(Tier), random_numbers), _turns(tuple(Service), random_numbers)
    action = _turns(tuple(ACTIONS), random_numbers)
    for number in count(1):
        yield Trial(
            number=number,
            kind=next(kind),
            moment=next(moment),
            tier=next(tier),
            seed=random_numbers.randint(0, MAX_SEED),
            steps=random_numbers.randint(0, MOST_STEPS_BEFORE),
            action=next(action),
            service=next(service),
            fraction=random_numbers.random(),
            draw=random_numbers.getrandbits(32),
        )


def _turns(values: Sequence[T], random_numbers: random.Random) -> Iterator[T]:
    """Each value once in a random order, and again in another one, for ever."""
    while True:
        yield from random_numbers.sample(values, len(values))
