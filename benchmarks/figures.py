"""A figure of a benchmark: measurements of one thing, their spread and their bound. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sre_autopilot.grading import EpisodeRecord

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Figure:
    """Measurements of one thing in `unit`, and the bound that they should keep, as text."""

    name: str
    unit: str
    bound: str
    values: Sequence[float]

    def row(self) -> tuple[str, ...]:
        spread = (min(self.values), statistics.median(self.values), max(self.values))
        return (self.name, *(f"{value:.3g}" for value in spread), self.unit, self.bound)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "bound": self.bound,
            "values": [float(value) for value in self.values],
        }


def sla_met_pct(records: Sequence[EpisodeRecord]) -> list[float]:
    """Percent of the service-windows of each episode that met the SLA, reset left out."""
    shares = []
    for record in records:
        met = [service.sla_met for step in record.steps[1:] for service in step.true.values()]
        shares.append(100 * sum(met) / len(met))
    return shares
