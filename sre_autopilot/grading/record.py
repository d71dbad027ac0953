"""What is recorded of an episode: faults, actions, and the truth of every window. Values only."""

from typing import Any, Self

from pydantic import Field, model_validator

from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.grading.validity import HostFigures, Validity, validity_of
from sre_autopilot.world import vocabulary as world
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, FaultKind, Tier


class FaultRecord(Frozen):
    """A hidden fault, and from which step and by what it was cured, if it was."""

    kind: str
    root: Service | None
    cheap_cure: ActionName
    parameters: dict[str, Any]
    cured_at: int | None = None
    cured_by: ActionName | None = None


class ActionRecord(Frozen):
    """What an agent did; `cures` are indices of the faults that it cured, from `cure_step` on."""

    action: ActionName
    service_id: Service | None = None
    accepted: bool = True
    error: str | None = None
    cures: tuple[int, ...] = ()
    cure_step: int | None = None


class TrueService(Frozen):
    """A service in a window, before noise: latency in ms, error rate 0..1, percent of limits."""

    calls: int
    failed: int
    latency_p99: float | None
    error_rate: float | None
    cpu_pct: float | None
    memory_pct: float | None
    sla_met: bool


class TrueEdge(Frozen):
    """Calls from one service (or the users) to another in a window, before any span was lost;
    `served` of them have the callee's own span as their child; `trace_id` is the worst call's:
    the slowest, of those that failed if any did.
    """

    caller: str
    callee: str
    calls: int
    failed: int
    served: int
    latency_p99: float
    trace_id: str | None = None


class TracedCall(Frozen):
    """One call of a trace: when it began, in ms after the first call of the trace, and how long it
    took.
    """

    caller: str
    callee: str
    start_ms: float
    latency_ms: float
    failed: bool


class StepRecord(Frozen):
    """One action (none at step 0) and the window after it, which lasted from `began_at` to
    `ended_at` (unix seconds); only what is true is graded. `host` is how busy the machine was, and
    `contended` whether that was too busy as judged when it was written; None where not measured.
    `traces` has, by id, those that `edges` name; empty, and not stored, where calls are not timed.
    """

    step: int
    action: ActionRecord | None
    true: dict[Service, TrueService]
    edges: tuple[TrueEdge, ...] = ()
    traces: dict[str, tuple[TracedCall, ...]] = Field(default_factory=dict)
    serving: dict[Service, tuple[str, ...]] = Field(default_factory=dict)
    observed: dict[str, Any] = Field(default_factory=dict)
    duration_s: float | None = None
    began_at: float | None = None
    ended_at: float | None = None
    host: HostFigures | None = None
    contended: bool | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.true.keys() != set(Service):
            raise ValueError("every step must tell the truth about every service")
        return self

    @property
    def sla_met(self) -> bool:
        return all(service.sla_met for service in self.true.values())


class EpisodeRecord(Frozen):
    """An episode so far; `score` is its total as graded when it was written, and `validity` says
    whether that can be trusted, None where the file does not say.

    `episode_key` is the secret that keyed, with the seed, all that the agent saw; 0 where it was no
    secret. `aborted` is not stored: it says that the file ended before the episode did, as it does
    when the program that wrote it was killed.
    """

    episode_id: str
    world_version: str = world.WORLD_VERSION
    backend: str
    policy: str | None = None
    tier: Tier
    seed: int
    episode_key: int = 0
    max_steps: int = world.MAX_STEPS
    faults: tuple[FaultRecord, ...]
    steps: tuple[StepRecord, ...] = ()
    finished: bool = False
    score: float | None = None
    validity: Validity | None = None
    aborted: bool = Field(default=False, exclude=True)

    @model_validator(mode="after")
    def _without_gaps(self) -> Self:
        if [s.step for s in self.steps] != list(range(len(self.steps))):
            raise ValueError("steps must count from 0 without a gap")
        return self

    @property
    def checked_validity(self) -> Validity:
        """The stored one; where there is none, what the figures of the windows say."""
        return self.validity or validity_of(self.steps)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader of its score should know; empty where there is nothing."""
        last, noted = len(self.steps) - 1, []
        if self.world_version != world.WORLD_VERSION:
            of, by = self.world_version, world.WORLD_VERSION
            noted.append(f"played in world version {of}, graded by {by}")
        if self.aborted:
            noted.append(f"aborted: the file ends after step {last}")
        elif not self.finished:
            noted.append(f"unfinished: it ended at step {last}")
        if not self.checked_validity.counts:
            noted.append(self.checked_validity.text)
        return tuple(noted)

    @property
    def breakages(self) -> tuple[FaultRecord, ...]:
        """The faults, without the one that is none."""
        return tuple(f for f in self.faults if f.kind != FaultKind.NONE)

    @property
    def interventions(self) -> tuple[tuple[int, ActionRecord], ...]:
        """Accepted actions that cost anything, each with its step."""
        acted = ((s.step, s.action) for s in self.steps if s.action and s.action.accepted)
        return tuple((step, action) for step, action in acted if ACTION_COSTS[action.action])

    @property
    def detected_at(self) -> int | None:
        """Step of the first intervention on a cause, from which time to detect (MTTD) is counted;
        None where there was none.
        """
        causes = {fault.root for fault in self.breakages}
        acted_on = ((step, action.service_id) for step, action in self.interventions)
        return next((step for step, service in acted_on if service in causes), None)

    def cured(self, fault: FaultRecord) -> bool:
        """Whether the cure took hold before the episode was over."""
        return fault.cured_at is not None and fault.cured_at < len(self.steps)


def comparable(a: EpisodeRecord, b: EpisodeRecord) -> bool:
    """Whether scores of the two may be compared: only within one version of the world."""
    return a.world_version == b.world_version
