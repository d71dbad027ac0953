"""What the fit reads: windows of recorded episodes, each with its deployment and impairments.

The episodes are repeated from their seeds and actions by the rules of the environment; no mesh
runs, and nothing is fitted here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from chaos.fault import Impairments
from chaos.tiers import draw_faults
from orchestrator.episode import Episode, Plan
from sre_autopilot.models import SREAction
from sre_autopilot.simulator.calibration.recordings import COLUMNS, Recording
from sre_autopilot.world.deployment import Deployment, ReplicaId
from sre_autopilot.world.topology import Service

SERVICES = tuple(Service)
CALL_COUNT, FAILED_COUNT, P99_MS, CPU_PCT, MEMORY_PCT = range(len(COLUMNS))
SETTLED_STEPS = 2
"""Windows after which a process that was started is at rest."""
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class RecordedWindow:
    """One window: its deployment and impairments, and what was measured (services x COLUMNS)."""

    step: int
    deployment: Deployment
    impairments: Mapping[ReplicaId, Impairments]
    true: Floats
    before: Floats | None

    @property
    def settled(self) -> bool:
        return all(self.step - replica.started_at >= SETTLED_STEPS for replica in self.deployment)

    @property
    def at_rest(self) -> bool:
        """Nothing is wrong, nor was in the window before."""
        healthy = self.before is not None and not np.nansum(self.before[:, FAILED_COUNT])
        steady = self.settled and not self.deployment.open_breakers(self.step)
        return (
            healthy
            and steady
            and not self.impairments
            and not np.nansum(self.true[:, FAILED_COUNT])
        )

    def held(self, service: Service) -> int:
        """Connections kept open by a leak in the pool of its only replica; -1 with two."""
        if len(self.deployment.replicas[service]) != 1:
            return -1
        pool = str(self.deployment.first(service).id)
        return sum(i.held_connections.get(pool, 0) for i in self.impairments.values())


def windows(recording: Recording) -> Iterator[RecordedWindow]:
    """The windows of a recorded episode, repeated from its seed and its actions."""
    faults = draw_faults(recording.tier, recording.seed)
    plan = Plan("again", recording.seed, recording.tier, faults, recording.backend)
    episode, before = Episode(plan), None
    for step, true in enumerate(recording.true):
        if step:
            action, service, _accepted = recording.actions[step - 1]
            episode.take(SREAction(action=action, service_id=service))
        now = true.astype(np.float64)
        yield RecordedWindow(step, episode.deployment, episode.impairments(), now, before)
        unmeasured = np.isnan(now[:, MEMORY_PCT])
        episode.end_window(
            [r.id for r in episode.deployment if unmeasured[SERVICES.index(r.id.service)]]
        )
        before = now


class Evidence(NamedTuple):
    """All windows of recordings; and what was measured in those at rest (windows x services x
    COLUMNS).
    """

    windows: Sequence[RecordedWindow]
    rest: Floats

    @classmethod
    def of(cls, recordings: Iterable[Recording]) -> Self:
        every = [window for recording in recordings for window in windows(recording)]
        return cls(every, np.array([window.true for window in every if window.at_rest]))
