"""One window of a calibration, as it is kept in a file of JSON lines. Values only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from sre_autopilot.grading import EpisodeRecord, HostFigures, contention
from sre_autopilot.world.vocabulary import Tier


class CalibrationWindow(BaseModel):
    """A window that was played beside `hogs` busy threads.

    missed: services that missed their SLA in it. On the control tier nothing is wrong, so that
    each miss is the host's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hogs: int = Field(ge=0)
    tier: Tier
    seed: int
    step: int
    missed: int = Field(ge=0)
    host: HostFigures

    @property
    def worst_wait(self) -> float:
        """Longest wait of one process for a CPU, as a share of the window."""
        waits = (self.host.run_queue_wait_ms or {}).values()
        return max(waits, default=0.0) / self.host.window_ms

    @property
    def contended(self) -> bool:
        """As the rule says now."""
        return bool(contention(self.host))

    def contended_at(self, run_queue_limit: float) -> bool:
        """As the rule would say with another limit of the waits for a CPU."""
        others = self.host.model_copy(update={"run_queue_wait_ms": None})
        return self.worst_wait > run_queue_limit or bool(contention(others))

    @classmethod
    def of(cls, record: EpisodeRecord, hogs: int) -> Iterator[Self]:
        """The measured windows of an episode, without that of its reset."""
        for step in record.steps[1:]:
            if step.host is not None:
                missed = sum(not service.sla_met for service in step.true.values())
                yield cls(
                    hogs=hogs,
                    tier=record.tier,
                    seed=record.seed,
                    step=step.step,
                    missed=missed,
                    host=step.host,
                )


def read_windows(path: Path) -> list[CalibrationWindow]:
    """Raises OSError; ValueError, which names the file and the line, for a line that is none."""
    windows = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        try:
            windows.append(CalibrationWindow.model_validate_json(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not a window: {error}") from error
    return windows
