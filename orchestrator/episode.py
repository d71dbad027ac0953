"""One running episode: what is hidden, was done, was measured. Pure; touches no backend."""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from chaos.fault import NO_IMPAIRMENTS, Fault, Impairments, Intervention, merged
from orchestrator import noise, reward
from orchestrator import observation as observed
from orchestrator.actions import ACTIONS, Situation
from orchestrator.telemetry.window import ServiceWindow, Window
from sre_autopilot import grading
from sre_autopilot.grading import ActionRecord, FaultRecord, StepRecord, TrueService
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.deployment import Deployment, ReplicaId, initial_deployment
from sre_autopilot.world.draws import visible_seed
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    ACTION_HISTORY_LENGTH,
    MAX_RESTARTS,
    MAX_STEPS,
    WORLD_VERSION,
    ActionName,
    Release,
    Tier,
)

WINDOWS_KEPT = 1 + max(lag for _, lag in noise.LAG_STEPS_BELOW)
"""The latest telemetry is so many windows old at most; what is older is in the record alone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is decided when an episode begins; `faults` is the hidden part.

    episode_key: 0, or a secret that keys, together with the seed, all that the agent sees.
    """

    episode_id: str
    seed: int
    tier: Tier
    faults: tuple[Fault, ...]
    backend: str
    policy: str | None = None
    episode_key: int = 0

    @property
    def visible_seed(self) -> int:
        """See `draws.visible_seed`."""
        return visible_seed(self.seed, self.episode_key)


@dataclass
class Episode:
    """Advances by `take` (an action), `observe` (the window after it) and `end_window`.

    `observation` is the last one that the agent got, None before the first window; `problems` are
    what was not as it should be in the world behind it, for the record alone.
    """

    plan: Plan
    step: int = 0
    deployment: Deployment = field(default_factory=initial_deployment)
    fault_records: list[FaultRecord] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    done: bool = False
    score: grading.Score | None = None
    observation: SREObservation | None = None
    cost_spent: int = 0
    restarts_used: int = 0
    problems: list[str] = field(default_factory=list)
    _taken: ActionRecord | None = None
    _history: deque[SREAction] = field(default_factory=lambda: deque(maxlen=ACTION_HISTORY_LENGTH))
    _windows: deque[Window] = field(default_factory=lambda: deque(maxlen=WINDOWS_KEPT))
    _statuses: list[dict[Service, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fault_records = [
            FaultRecord(
                kind=fault.kind,
                root=fault.root,
                cheap_cure=fault.cheap_cure,
                parameters=fault.parameters(),
            )
            for fault in self.plan.faults
        ]

    def take(self, action: SREAction, refusal: str | None = None) -> None:
        """Applies `action` at the next step; `refusal`: why it, a wait, stands for a bad one."""
        self.step += 1
        self._history.append(action)
        situation = Situation(self.deployment, self.step, MAX_RESTARTS - self.restarts_used)
        move, service = ACTIONS[action.action], action.service_id
        error = move.refusal(service, situation) if service is not None else refusal
        cures: dict[int, int] = {}
        if error is None and service is not None:
            cures = self._cures(Intervention(action.action, service, self.step, self.plan.seed))
            self.deployment = move.apply(service, situation)
            self.cost_spent += ACTION_COSTS[action.action]
            self.restarts_used += action.action is ActionName.RESTART
        self._taken = ActionRecord(
            action=action.action,
            service_id=service,
            accepted=error is None,
            error=error,
            cures=tuple(cures),
            cure_step=max(cures.values(), default=None),
        )

    def impairments(self) -> Mapping[ReplicaId, Impairments]:
        """What holds during the window of this step, by running replica."""
        in_force: dict[ReplicaId, Impairments] = {}
        for fault, record in zip(self.plan.faults, self.fault_records, strict=True):
            if record.cured_at is None or record.cured_at > self.step:
                for target, impairments in fault.impairments(self.step, self.deployment).items():
                    in_force[target] = merged(in_force.get(target, NO_IMPAIRMENTS), impairments)
        return in_force

    def observe(self, window: Window, duration_s: float) -> SREObservation:
        """Records the window of this step; returns what the agent sees of it.

        duration_s: from the action to the end of the window, for the record.
        """
        self._windows.append(window)
        observation = self._observation_of_newest()
        serving = {
            service: tuple(str(r.id) for r in self.deployment.serving(service, self.step))
            for service in Service
        }
        self.steps.append(
            StepRecord(
                step=self.step,
                action=self._taken,
                true={service: _true(w) for service, w in window.services.items()},
                edges=tuple(observed.true_edges(window)),
                traces=observed.worst_traces(window),
                serving=serving,
                observed=observation.model_dump(mode="json"),
                duration_s=round(duration_s, 4),
                began_at=window.began_at,
                ended_at=window.ended_at,
                host=window.host,
                contended=None if window.host is None else bool(grading.contention(window.host)),
            )
        )
        if self._over():
            self.done = True
            self.score = grading.grade(self.record())
            observation = observation.model_copy(update={"done": True, "reward": self.score.total})
        self.observation = observation
        return observation

    def end_window(self, killed: Collection[ReplicaId] = ()) -> Mapping[ReplicaId, Release]:
        """What the end of a window changes: a restarted service rejoins the rotation, and each
        replica that was killed in the window starts anew for the next one, into whatever impairs
        it.

        Returns the release that each killed replica is to be started on.
        """
        deployment = self.deployment.window_ended()
        for replica_id in killed:
            deployment = deployment.revived(replica_id, self.step + 1)
        self.deployment = deployment
        return {
            replica_id: next(
                r.release for r in deployment.replicas[replica_id.service] if r.id == replica_id
            )
            for replica_id in killed
        }

    @property
    def validity(self) -> grading.Validity:
        """Whether the score, when it is there, can be trusted."""
        return grading.validity_of(self.steps, self.problems)

    def record(self) -> grading.EpisodeRecord:
        """The grader's view of the episode so far."""
        return grading.EpisodeRecord(
            episode_id=self.plan.episode_id,
            world_version=WORLD_VERSION,
            backend=self.plan.backend,
            policy=self.plan.policy,
            tier=self.plan.tier,
            seed=self.plan.seed,
            episode_key=self.plan.episode_key,
            max_steps=MAX_STEPS,
            faults=tuple(self.fault_records),
            steps=tuple(self.steps),
            finished=self.done,
            score=self.score.total if self.score is not None else None,
            validity=self.validity,
        )

    def _cures(self, intervention: Intervention) -> dict[int, int]:
        """Index of each fault that this cures -> step from which it is cured."""
        cures = {
            index: cure_step
            for index, fault in enumerate(self.plan.faults)
            if self.fault_records[index].cured_at is None
            and (cure_step := fault.on_action(intervention, self.deployment)) is not None
        }
        for index, cure_step in cures.items():
            self.fault_records[index] = self.fault_records[index].model_copy(
                update={"cured_at": cure_step, "cured_by": intervention.action}
            )
        return cures

    def _observation_of_newest(self) -> SREObservation:
        seed = self.plan.visible_seed
        metrics = observed.noisy_metrics(self._windows, seed)
        edges = observed.trace_edges(self._windows, seed)
        self._statuses.append(
            observed.sla_status(metrics, self._statuses[-1] if self._statuses else {})
        )
        taken = self._taken
        cost = ACTION_COSTS[taken.action] if taken is not None and taken.accepted else 0
        errors = {service: m.error_rate for service, m in metrics.items()}
        breakdown = reward.hint(self._statuses, errors, cost)
        return SREObservation(
            metrics=metrics,
            dependency_graph=observed.dependency_graph(edges),
            trace_edges=edges,
            action_history=list(self._history),
            step=self.step,
            max_steps=MAX_STEPS,
            remaining_restarts=MAX_RESTARTS - self.restarts_used,
            cost_spent=self.cost_spent,
            sla_status=self._statuses[-1],
            reward_hint=breakdown.total,
            reward_breakdown=breakdown,
            last_action_error=taken.error if taken is not None else None,
        )

    def _over(self) -> bool:
        healed = grading.recovered_at(self.steps, self.fault_records) is not None
        return self.step >= MAX_STEPS or (healed and self.plan.tier is not Tier.CONTROL)


def _true(window: ServiceWindow) -> TrueService:
    return TrueService(
        calls=window.calls.total,
        failed=window.calls.failed,
        latency_p99=window.calls.p99_ms,
        error_rate=window.error_rate,
        cpu_pct=window.cpu_pct,
        memory_pct=window.memory_pct,
        sla_met=window.sla_met,
    )
