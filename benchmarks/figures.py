"""What a benchmark prints: measurements of one thing with their spread, beside their bound."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sre_autopilot.grading import EpisodeRecord

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Figure:
    """Measurements of one thing, in `unit`, and what they should stay within."""

    name: str
    unit: str
    bound: str
    values: Sequence[float]

    def row(self) -> tuple[str, ...]:
        spread = (min(self.values), statistics.median(self.values), max(self.values))
        return (self.name, *(f"{value:.3g}" for value in spread), self.unit, self.bound)


def sla_met_pct(records: Sequence[EpisodeRecord]) -> list[float]:
    """Share of service-windows in SLA, an episode each."""
    shares = []
    for record in records:
        met = [service.sla_met for step in record.steps[1:] for service in step.true.values()]
        shares.append(100 * sum(met) / len(met))
    return shares
