"""Where a replay stands and how fast it goes on: moved by keys and by time. Draws and reads
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""What the keys for faster and slower choose from."""


class Key(StrEnum):
    """Keys of a replay; the arrows of a terminal are read as the first four are."""

    NEXT = "n"
    PREVIOUS = "p"
    FASTER = "+"
    SLOWER = "-"
    PAUSE = " "
    FIRST = "g"
    LAST = "G"
    QUIT = "q"


KEYS_IN_WORDS = "space pause, n p or arrows step, + - speed, g G begin and end, q quit"


@dataclass(frozen=True, slots=True)
class Playback:
    """A position among steps that took `durations_s` seconds each when they were played."""

    durations_s: Sequence[float]
    speed: float = 1.0
    """How many recorded seconds go by in a second; 0 stands still."""
    position: int = 0
    is_paused: bool = False
    is_over: bool = False

    @property
    def last(self) -> int:
        return len(self.durations_s) - 1

    @property
    def wait_s(self) -> float | None:
        """Seconds until the next step is due; None where only a key goes on."""
        if self.is_paused or self.speed == 0 or self.position >= self.last:
            return None
        return self.durations_s[self.position + 1] / self.speed

    def due(self) -> "Playback":
        """After `wait_s` without a key."""
        return self._at(self.position + 1)

    def pressed(self, key: Key) -> "Playback":
        """Stepping by hand pauses; the last step waits for a key, as a pause does."""
        targets = {
            Key.NEXT: self.position + 1,
            Key.PREVIOUS: self.position - 1,
            Key.FIRST: 0,
            Key.LAST: self.last,
        }
        if key in targets:
            by_one = key in {Key.NEXT, Key.PREVIOUS}
            return replace(self._at(targets[key]), is_paused=self.is_paused or by_one)
        if key is Key.PAUSE:
            return replace(self, is_paused=not self.is_paused)
        if key is Key.QUIT:
            return replace(self, is_over=True)
        return replace(self, speed=self._faster() if key is Key.FASTER else self._slower())

    def _faster(self) -> float:
        return min((speed for speed in SPEEDS if speed > self.speed), default=self.speed)

    def _slower(self) -> float:
        return max((speed for speed in SPEEDS if speed < self.speed), default=self.speed)

    def _at(self, position: int) -> "Playback":
        return replace(self, position=min(max(position, 0), self.last))
