"""Random draws of one process: keyed, and counted by purpose."""

from collections import Counter
from enum import IntEnum

from sre_autopilot.world.draws import Stream, log_normal, normal, uniform


class Purpose(IntEnum):
    """What a draw of a service is for; takes the place of the step in the key."""

    STORAGE_DELAY = 1
    PROVIDER_DELAY = 2
    SILENCE_IN = 3
    SILENCE_OUT = 4
    DROP = 5


class Draws:
    """Draws of one process. Not thread-safe: it belongs to the data loop."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._made: Counter[Purpose] = Counter()

    def reseed(self, seed: int) -> None:
        """Starts the draws over, as a new process of that seed would."""
        self._seed, self._made = seed, Counter()

    def happens(self, purpose: Purpose, share: float) -> bool:
        """True for `share` of the calls; draws nothing where there is no chance."""
        return share > 0.0 and uniform(*self._next(purpose)) < share

    def delay_s(self, purpose: Purpose, median_ms: float, sigma: float) -> float:
        """A log-normal delay in seconds."""
        return log_normal(median_ms, sigma, normal(*self._next(purpose))) / 1000.0

    def _next(self, purpose: Purpose) -> tuple[int, int, int, int]:
        self._made[purpose] += 1
        return self._seed, Stream.SERVICE, purpose, self._made[purpose]
