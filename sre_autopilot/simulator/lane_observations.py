"""What the agent of each lane observes, as the object that it gets over the API.

Learners read rows (`history.row_layout`); policies of this project, and whoever compares both,
read these. Slower by far than a step. Without spans, the fields of MISSING_FIELDS are not computed,
and reading one is an error: an empty graph would be a false value.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from orchestrator import observation as observed
from orchestrator import reward
from orchestrator.noise import METRICS_PER_SERVICE
from sre_autopilot.errors import SREError
from sre_autopilot.history.row_layout import SPAN_EDGES
from sre_autopilot.models import ServiceMetrics, SREAction, SREObservation, TraceEdge
from sre_autopilot.simulator.batch import Engine
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.window_arrays import METRIC_COUNT, SERVICE_COUNT
from sre_autopilot.simulator.span_draws import Edges
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import (
    ACTION_HISTORY_LENGTH,
    MAX_RESTARTS,
    RECOVERY_WINDOWS,
    ActionName,
)

REFUSED = "refused"
"""In place of the reason, which the vector simulator does not spell out."""
MISSING_FIELDS = ("trace_edges", "dependency_graph", "reward_breakdown")
"""Fields of an observation that are there with spans only."""
_SERVICES, _ACTIONS = tuple(Service), tuple(ActionName)
_NUMBERS = (
    layout.STEP, layout.RESTARTS, layout.COST, layout.STEP_COST, layout.REFUSED,
    layout.NOISY_STREAK, layout.NOISY_BAD, layout.DONE,
)  # fmt: skip
_FIELDS = [
    *_NUMBERS,
    layout.HINT,
    layout.SCORE,
    *range(layout.VERDICT, layout.VERDICT + SERVICE_COUNT),
    *range(layout.OBSERVED, layout.OBSERVED + METRIC_COUNT),
]
_TAKEN = [
    [SREAction(action=action, service_id=service) for service in Service]
    if action is not ActionName.WAIT
    else [SREAction(action=action)] * SERVICE_COUNT
    for action in ActionName
]
"""By action and service: actions cannot be changed, so each is made once."""


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


class LaneObservations:
    """Keeps the last actions of each lane, and what its spans show, from window to window."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        count = len(engine.keys)
        self._actions = np.zeros((count, ACTION_HISTORY_LENGTH, 2), np.int64)
        self._edges: Edges | None = None

    def after_window(self, edges: Edges | None = None, lanes: Any = None) -> None:
        """A window has passed in some lanes, or in all (None); `edges` are those of these lanes."""
        here = slice(None) if lanes is None else lanes
        self._actions[here, :-1] = self._actions[here, 1:]
        self._actions[here, -1] = self._engine.state([layout.ACTION, layout.ACTED_ON])[here]
        if lanes is None or edges is None or self._edges is None:
            self._edges = edges
            return
        for of_all, of_these in zip(self._edges, edges, strict=True):
            of_all[lanes] = of_these

    def of(
        self, lanes: Sequence[int], histories: Sequence[Sequence[SREAction]] | None = None
    ) -> Iterator[SREObservation]:
        """The observations of some lanes.

        histories: the last actions of each, oldest first. A lane does not know whether a wait
            named a service, so without them none did.
        """
        state = self._engine.state(_FIELDS)[list(lanes)]
        numbers, (hints, scores) = state[:, : len(_NUMBERS)], state[:, len(_NUMBERS) :][:, :2].T
        rest = state[:, len(_NUMBERS) + 2 :]
        verdicts = (rest[:, :SERVICE_COUNT] > 0.0).tolist()
        values = rest[:, SERVICE_COUNT:].reshape(-1, METRICS_PER_SERVICE, SERVICE_COUNT)
        arrived = values.astype(object)
        arrived[np.isnan(values)] = None
        by_service = arrived.swapaxes(1, 2).tolist()
        whole = numbers.astype(np.int64).tolist()
        if histories is None:
            steps = [of_lane[0] for of_lane in whole]
            histories = [self._history(*each) for each in zip(lanes, steps, strict=True)]
        ends = zip(hints.tolist(), scores.tolist(), histories, strict=True)
        rows = zip(lanes, by_service, verdicts, whole, ends, strict=True)
        for lane, metrics, met, of_lane, (hint, score, history) in rows:
            step, restarts, cost, step_cost, refused, streak, bad, done = of_lane
            fields: dict[str, Any] = {
                "metrics": dict(zip(_SERVICES, map(_metrics, metrics), strict=True)),
                "action_history": list(history),
                "step": step,
                "remaining_restarts": MAX_RESTARTS - restarts,
                "cost_spent": cost,
                "sla_status": dict(zip(_SERVICES, met, strict=True)),
                "reward_hint": hint,
                "last_action_error": REFUSED if refused else None,
                "done": bool(done),
                "reward": score if done else 0.0,
            }
            resolved = streak >= RECOVERY_WINDOWS and bool(bad)
            # Values are of the right kinds already: validation would cost more than the simulator.
            if self._edges is None:
                yield VectorObservation.model_construct(**fields)
            else:
                fields |= self._traced(lane, fields, step_cost, resolved)
                yield SREObservation.model_construct(**fields)

    def _history(self, lane: int, step: int) -> list[SREAction]:
        """Oldest first; in an episode's first steps there are fewer than are kept."""
        taken = self._actions[lane, max(0, ACTION_HISTORY_LENGTH - step) :].tolist()
        return [_TAKEN[action][service] for action, service in taken]

    def _traced(
        self, lane: int, fields: Mapping[str, Any], cost: int, resolved: bool
    ) -> dict[str, Any]:
        """MISSING_FIELDS."""
        edges = self._trace_edges(lane)
        errors = {service: metrics.error_rate for service, metrics in fields["metrics"].items()}
        terms = reward.breakdown(fields["sla_status"], errors, cost, resolved=resolved)
        graph = observed.dependency_graph(edges)
        return dict(zip(MISSING_FIELDS, (edges, graph, terms), strict=True))

    def _trace_edges(self, lane: int) -> list[TraceEdge]:
        """In the order of an observation: by caller, then by the first call."""
        assert self._edges is not None
        calls, rates, latencies, first = (of_all[lane].tolist() for of_all in self._edges)
        places = [place for place in range(len(SPAN_EDGES)) if calls[place]]
        places.sort(key=lambda place: (_SERVICES.index(SPAN_EDGES[place][0]), first[place]))
        return [
            TraceEdge.model_construct(
                caller=SPAN_EDGES[place][0],
                callee=SPAN_EDGES[place][1],
                calls=int(calls[place]),
                error_rate=rates[place],
                latency_p99=latencies[place],
            )
            for place in places
        ]


def _metrics(values: Sequence[float | None]) -> ServiceMetrics:
    latency, errors, cpu, memory = values
    return ServiceMetrics(latency_p99=latency, error_rate=errors, cpu_pct=cpu, memory_pct=memory)
