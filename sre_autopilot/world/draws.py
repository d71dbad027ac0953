"""Keyed randomness: a draw depends on its key alone, never on earlier draws.

The 64-bit mixer is SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number
generators", OOPSLA 2014), applied once per part of the key. The simulator's array code repeats
it bit for bit; a test compares the two.
"""

import math
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import TypeVar

from sre_autopilot.world.quantiles import standard_normal

T = TypeVar("T")

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_GOLDEN = 0x9E37_79B9_7F4A_7C15


class Stream(IntEnum):
    """What a draw is for. Numbers are part of the world: never reuse or renumber one."""

    FAULT = 1
    CURE = 2
    LAG = 3
    METRIC_LOSS = 4
    SPAN_LOSS = 5
    LATENCY_NOISE = 6
    ERROR_NOISE = 7
    CPU_NOISE = 8
    MEMORY_NOISE = 9
    TRAFFIC = 10
    SERVICE = 11
    POLICY = 12
    BOOTSTRAP = 13
    SIMULATOR = 14
    PROCESS_START = 15
    SPANS = 16
    TIER = 17
    FORK = 18


def mix(x: int) -> int:
    """SplitMix64's finaliser: a bijection on 64-bit integers."""
    x = (x ^ (x >> 30)) * 0xBF58_476D_1CE4_E5B9 & _MASK
    x = (x ^ (x >> 27)) * 0x94D0_49BB_1331_11EB & _MASK
    return x ^ (x >> 31)


def folded(*parts: int) -> int:
    """64-bit hash of the parts of a key so far; further parts may be folded in later."""
    h = 0
    for part in parts:
        h = _fold(h, part)
    return h


def _fold(h: int, part: int) -> int:
    return mix((h + _GOLDEN + (part & _MASK)) & _MASK)


def key(seed: int, stream: int, step: int = 0, index: int = 0) -> int:
    """64-bit hash of the key; equal keys give equal hashes on every machine."""
    return _fold(_all_but_index(seed, stream, step), index)


# Of a step's draws, dozens differ in their index alone.
@lru_cache(maxsize=256)
def _all_but_index(seed: int, stream: int, step: int) -> int:
    return folded(seed, stream, step)


def uniform(seed: int, stream: int, step: int = 0, index: int = 0) -> float:
    """Uniform in [0, 1): the top 53 bits of the hash."""
    return (key(seed, stream, step, index) >> 11) * 2.0**-53


def visible_seed(seed: int, episode_key: int) -> int:
    """The seed that keys all that an agent sees, 0..2**63 - 1; the seed itself where the key is 0.

    With a secret key neither the seed nor what else is keyed by it can be read off what is seen.
    """
    return folded(seed, episode_key) >> 1 if episode_key else seed


def uniform_between(low: float, high: float, draw: float) -> float:
    """Maps a uniform `draw` in [0, 1) to [low, high)."""
    return low + (high - low) * draw


def integer_between(low: int, high: int, draw: float) -> int:
    """Maps a uniform `draw` in [0, 1) to one of low..high, both included."""
    return low + int((high - low + 1) * draw)


def choice(options: Sequence[T], draw: float) -> T:
    """Maps a uniform `draw` in [0, 1) to one of `options`, equally likely."""
    return options[int(len(options) * draw)]


def in_turn(seed: int, stream: int, turns: int, index: int = 0) -> float:
    """Uniform in [0, 1), spread over seeds: of `turns` seeds in a row, counted from a multiple of
    `turns`, each falls into a share of its own of [0, 1) cut into `turns` equal shares.

    A rotation of one draw for all of them, so that a small sample of seeds is balanced.
    """
    block, turn = divmod(seed, turns)
    return (uniform(block, stream, index) + turn / turns) % 1.0


def normal(seed: int, stream: int, step: int = 0, index: int = 0) -> float:
    """Standard normal: see `quantiles`."""
    return standard_normal(key(seed, stream, step, index))


def log_normal(median: float, sigma: float, z: float) -> float:
    """Log-normal value from a standard normal `z`."""
    return median * math.exp(sigma * z)
