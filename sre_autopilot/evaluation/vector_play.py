"""One policy plays many episodes at once in the vector simulator; the scores are those of `play`.

Policies observe what they observe anywhere else, but for the fields of MISSING_FIELDS, which the
vector simulator does not compute. Reading one is an error: an empty graph would be a false value.
Policies that need them say so by `needs_traces`, and are not played here (see `many_seeds`).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chaos.tiers import draw_faults
from orchestrator.episode import Episode, Plan
from orchestrator.noise import METRICS_PER_SERVICE
from sre_autopilot.errors import SREError
from sre_autopilot.models import ServiceMetrics, SREAction, SREObservation
from sre_autopilot.policies import Policy, brief
from sre_autopilot.simulator import NAME
from sre_autopilot.simulator.batch import Engine, EpisodeQueue
from sre_autopilot.simulator.mesh import REPLICA_IDS
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.window_arrays import (
    METRIC_COUNT,
    REPLICA_COUNT,
    SERVICE_COUNT,
)
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_HISTORY_LENGTH, MAX_RESTARTS, ActionName, Tier

REFUSED = "refused"
"""In place of the reason, which the vector simulator does not spell out."""
_SERVICES, _ACTIONS = tuple(Service), tuple(ActionName)
_NUMBERS = (layout.STEP, layout.RESTARTS, layout.COST, layout.REFUSED)

MISSING_FIELDS = ("trace_edges", "dependency_graph", "reward_breakdown")
"""Fields of an observation that the vector simulator does not compute."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


class MissingField(SREError, AttributeError):
    """A policy that says it needs no traces has read one of MISSING_FIELDS."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"an observation of the vector simulator has no {name}; a policy that reads it sets "
            "needs_traces = True",
            name=name,
        )


class VectorObservation(SREObservation):
    """An observation without MISSING_FIELDS; reading one of them raises MissingField."""

    def __getattr__(self, name: str) -> Any:
        """Python calls it for attributes that are not set."""
        raise MissingField(name) if name in MISSING_FIELDS else AttributeError(name)


@dataclass(slots=True)
class Player:
    """A policy in one lane.

    truth: kept for privileged policies alone, None for others. Its plan, cures and deployment are
        those of the lane; it has no windows.
    """

    lane: int
    policy: Policy
    truth: Episode | None
    history: deque[SREAction] = field(default_factory=lambda: deque(maxlen=ACTION_HISTORY_LENGTH))

    def act(self, observation: SREObservation) -> tuple[int, int]:
        """The action and service after `observation`, by number."""
        action = self.policy.act(observation)
        self.history.append(action)
        if self.truth is not None:
            self.truth.take(action)
        service = _SERVICES[0] if action.service_id is None else action.service_id
        return _ACTIONS.index(action.action), _SERVICES.index(service)

    def end_window(self, x: Floats) -> None:
        """Brings the truth up to date with `x` (FIELDS), the lane's state after its window."""
        if self.truth is None:
            return
        # Only a replica that was killed in a window has a start that lies after it.
        started_at = x[layout.STARTED_AT : layout.STARTED_AT + REPLICA_COUNT]
        killed = np.flatnonzero(started_at > x[layout.STEP])
        self.truth.end_window([REPLICA_IDS[replica] for replica in killed])


def play_batch(
    engine: Engine, new_policy: Callable[[], Policy], tier: Tier, seeds: Sequence[int]
) -> Floats:
    """The score of each seed; there is a lane, and a policy, for each.

    Raises MissingField.
    """
    queue, actions = EpisodeQueue(tier, seeds), np.full((len(seeds), 2), (layout.WAIT, 0))
    scores = np.full(len(seeds), np.nan)
    playing = [_begin(lane, new_policy(), tier, seed) for lane, seed in enumerate(seeds)]
    engine.begin(queue)
    x = engine.x
    for player in playing:
        player.end_window(x[player.lane])
    # Lanes whose episode is over begin another one, which is not read.
    while playing:
        here = [player.lane for player in playing]
        observed = observations(x[here], [player.history for player in playing])
        actions[here] = [player.act(each) for player, each in zip(playing, observed, strict=True)]
        engine.step(actions, queue)
        x = engine.x
        for player in playing:
            player.end_window(x[player.lane])
        done = x[:, layout.DONE] > 0.0
        scores[here] = x[here, layout.SCORE]
        playing = [player for player in playing if not done[player.lane]]
    return scores


def observations(x: Floats, histories: Iterable[Iterable[SREAction]]) -> Iterator[SREObservation]:
    """An observation a lane, of `x` (lanes, FIELDS) and the lane's last actions, oldest first."""
    observed = x[:, layout.OBSERVED : layout.OBSERVED + METRIC_COUNT]
    values = observed.reshape(-1, METRICS_PER_SERVICE, SERVICE_COUNT)
    arrived = values.astype(object)
    arrived[np.isnan(values)] = None
    verdicts = (x[:, layout.VERDICT : layout.VERDICT + SERVICE_COUNT] > 0.0).tolist()
    numbers, hints = x[:, _NUMBERS].astype(np.int64).tolist(), x[:, layout.HINT].tolist()
    by_service = arrived.swapaxes(1, 2).tolist()
    rows = zip(by_service, verdicts, numbers, hints, histories, strict=True)
    for metrics, met, (step, restarts, cost, refused), hint, history in rows:
        fields: dict[str, Any] = {
            "metrics": dict(zip(_SERVICES, map(_metrics, metrics), strict=True)),
            "action_history": list(history),
            "step": step,
            "remaining_restarts": MAX_RESTARTS - restarts,
            "cost_spent": cost,
            "sla_status": dict(zip(_SERVICES, met, strict=True)),
            "reward_hint": hint,
            "last_action_error": REFUSED if refused else None,
        }
        # Values are of the right kinds already: validation would cost more than the simulator.
        yield VectorObservation.model_construct(**fields)


def _begin(lane: int, policy: Policy, tier: Tier, seed: int) -> Player:
    truth = None
    if policy.privileged:
        truth = Episode(Plan(f"{tier}-{seed}", seed, tier, draw_faults(tier, seed), NAME))
    brief(policy, seed, truth)
    return Player(lane, policy, truth)


def _metrics(values: Sequence[float | None]) -> ServiceMetrics:
    latency, errors, cpu, memory = values
    return ServiceMetrics(latency_p99=latency, error_rate=errors, cpu_pct=cpu, memory_pct=memory)
