"""The rhythm of a fault that comes and goes: bursts of lost calls in a period. Knows no cause."""

from dataclasses import dataclass
from typing import Self

from sre_autopilot.world.draws import Stream, integer_between, uniform, uniform_between
from sre_autopilot.world.shapes import FlapShape


@dataclass(frozen=True, slots=True)
class Flap:
    """In a burst `loss_share` of the calls is lost; each period begins with one."""

    loss_share: float
    period_steps: int
    burst_steps: int
    phase_steps: int

    def __post_init__(self) -> None:
        if not 0.0 < self.loss_share <= 1.0:
            raise ValueError("loss_share must lie in (0, 1]")
        if not 0 < self.burst_steps < self.period_steps:
            raise ValueError("burst_steps must lie in 1..period_steps - 1")
        if not 0 <= self.phase_steps < self.period_steps:
            raise ValueError("phase_steps must lie in 0..period_steps - 1")

    @classmethod
    def draw(cls, shape: FlapShape, seed: int, index: int) -> Self:
        u = [uniform(seed, Stream.FAULT, index, i) for i in range(2, 6)]
        period = integer_between(*shape.period_steps, u[1])
        return cls(
            loss_share=uniform_between(*shape.loss_share, u[0]),
            period_steps=period,
            burst_steps=integer_between(*shape.burst_steps, u[2]),
            phase_steps=integer_between(0, period - 1, u[3]),
        )

    def down(self, step: int, since: int = 0) -> bool:
        """Whether `step` lies in a burst, of a rhythm that began at step `since`."""
        return (step - since + self.phase_steps) % self.period_steps < self.burst_steps
