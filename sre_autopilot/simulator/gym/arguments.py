"""Arguments of the vector environment, checked where they come in."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any, TypeAlias

import numpy as np
from gymnasium.vector import AutoresetMode

from orchestrator.validation import MAX_SEED, parse_tier
from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.models import parse_name
from sre_autopilot.simulator.gym.action_coding import PAIRS
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier


@dataclass(frozen=True, slots=True)
class LearnerOptions:
    """What trainers may ask for; `SREAutopilotVectorEnv` says what each does."""

    tiers: Mapping[str, float] | None = None
    actions: str = PAIRS
    autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP
    forbidden: Iterable[str] = ()
    privileged: bool = False
    trace_edges: bool = False
    objects: bool = False


STAGGERED = "staggered"
Seed: TypeAlias = int | Sequence[int | None] | None
OPTIONS = (STAGGERED,)
"""What `reset(options=...)` takes."""
_MODES = {mode.value: mode for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)}


def first_seeds(seed: Seed, num_envs: int, random: np.random.Generator) -> list[int]:
    """A seed for each: those named, or `seed` and those after it. Raises InvalidValue.

    random: draws a training seed in the place of None.
    """
    try:
        if isinstance(seed, Iterable):
            seeds = [_drawn(random) if each is None else index(each) for each in seed]
        else:
            first = _drawn(random) if seed is None else index(seed)
            seeds = [first + number for number in range(num_envs)]
    except TypeError:
        seeds = []
    if len(seeds) != num_envs or not all(0 <= each <= MAX_SEED for each in seeds):
        expected = f"a whole number from 0 to {MAX_SEED}, or {num_envs} of them"
        raise InvalidValue("seed", seed, expected)
    return seeds


def _drawn(random: np.random.Generator) -> int:
    split = SEED_SPLITS["train"]
    return int(random.integers(split.start, split.stop))


def parse_shares(tier: object, shares: Mapping[str, float] | None) -> Mapping[Tier, float]:
    """The share of each tier: all of `tier` unless shares are given, which need not add up to 1.

    Raises UnknownName (task_tier, tiers), InvalidValue (tiers).
    """
    if shares is None:
        return {parse_tier(tier): 1.0}
    expected = "a share from 0 for each of some tiers, with a sum above 0"
    if not isinstance(shares, Mapping):
        raise InvalidValue("tiers", shares, expected)
    parsed = {parse_name(Tier, "tiers", name): share for name, share in shares.items()}
    if not all(map(_is_share, parsed.values())) or not sum(parsed.values()) > 0.0:
        raise InvalidValue("tiers", dict(shares), expected)
    return parsed


def parse_autoreset_mode(value: object) -> AutoresetMode:
    """From Gymnasium's mode or its value; Disabled is none of ours. Raises UnknownName."""
    name = value.value if isinstance(value, AutoresetMode) else value
    if not isinstance(name, str) or name not in _MODES:
        raise UnknownName("autoreset_mode", name, _MODES)
    return _MODES[name]


def parse_render_mode(value: str | None, modes: Sequence[str]) -> str | None:
    """Raises UnknownName."""
    if value is not None and value not in modes:
        raise UnknownName("render_mode", value, modes)
    return value


def parse_staggered(options: Mapping[str, Any] | None) -> bool:
    """Whether `reset` is to begin in different phases. Raises UnknownName, InvalidValue."""
    for name in options or {}:
        if name not in OPTIONS:
            raise UnknownName("option", name, OPTIONS)
    staggered = (options or {}).get(STAGGERED, False)
    if not isinstance(staggered, bool):
        raise InvalidValue(STAGGERED, staggered, "True or False")
    return staggered


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0
