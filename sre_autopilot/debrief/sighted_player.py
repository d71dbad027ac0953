"""Goes on as a policy that has observed what the agent observed, and nothing else.

The policy reads the agent's observations up to a step, is copied there (`fork`), and plays on in
the lanes of the simulator. Actions that were not its own it takes from `action_history`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, cast, runtime_checkable

import numpy as np

from sre_autopilot.debrief.forks import Forks
from sre_autopilot.debrief.replay import Replay
from sre_autopilot.errors import InvalidValue
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies import Policy, brief
from sre_autopilot.policies.many import pair_of
from sre_autopilot.simulator.batch import Engine
from sre_autopilot.simulator.lane_observations import LaneObservations
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.span_draws import WINDOWS_KEPT, SpanDraws
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_HISTORY_LENGTH, ActionName

_SERVICES, _ACTIONS = tuple(Service), tuple(ActionName)


@runtime_checkable
class Forkable(Protocol):
    """A policy that can be copied in the middle of an episode, and that reads what was done from
    observations, not from its own answers.
    """

    def fork(self) -> Self: ...


class Adviser:
    """A policy that has looked over the agent's shoulder for a whole episode.

    advised: (steps, 2) int64, what it would have done at each step, from step 1.
    """

    def __init__(
        self, new_policy: Callable[[], Policy], record: EpisodeRecord, replay: Replay
    ) -> None:
        """Raises InvalidValue for a policy that knows the truth, or cannot be copied, and for a
        record without observations.
        """
        policy = new_policy()
        if policy.privileged or not isinstance(policy, Forkable):
            expected = "a policy that has fork() and does not read the truth"
            raise InvalidValue("continuation", policy.name, expected)
        if not all(step.observed for step in record.steps):
            raise InvalidValue("observed", {}, "what the agent observed, at every step")
        brief(policy, record.seed)
        self._replay, self.needs_traces = replay, policy.needs_traces
        self._after: list[Policy] = []
        advised = []
        for step in record.steps[: replay.steps]:
            advised.append(pair_of(policy.act(SREObservation.model_validate(step.observed))))
            self._after.append(cast("Policy", policy.fork()))
        self.advised = np.array(advised, np.int64)

    def player(self, forks: Forks) -> "SightedPlayer":
        """One that goes on in `forks`."""
        policies = [self._after[step - 1] for step in forks.step]
        copies = [cast("Policy", cast("Forkable", policy).fork()) for policy in policies]
        return SightedPlayer(copies, self._replay, forks, needs_traces=self.needs_traces)


class SightedPlayer:
    """See `forks.Player`; one policy a lane."""

    def __init__(
        self, policies: Sequence[Policy], replay: Replay, forks: Forks, *, needs_traces: bool
    ) -> None:
        self._policies, self._replay, self._forks = policies, replay, forks
        self._needs_traces = needs_traces
        taken = [action_of(*pair) for pair in replay.actions[1:].tolist()]
        self._histories = [
            deque((*taken[: step - 1], action_of(*pair)), maxlen=ACTION_HISTORY_LENGTH)
            for step, pair in zip(forks.step.tolist(), forks.actions.tolist(), strict=True)
        ]
        self._observations: LaneObservations | None = None
        self._spans: SpanDraws | None = None

    def act(self, engine: Engine, lanes: Any) -> Any:
        observations = self._after_window(engine)
        histories = [list(self._histories[lane]) for lane in lanes]
        pairs = []
        for lane, observation in zip(lanes, observations.of(lanes, histories), strict=True):
            action = self._policies[lane].act(observation)
            self._histories[lane].append(action)
            pairs.append(pair_of(action))
        return np.array(pairs, np.int64)

    def _after_window(self, engine: Engine) -> LaneObservations:
        if self._observations is None:
            self._observations = LaneObservations(engine)
            self._spans = self._loaded_spans(engine) if self._needs_traces else None
        edges = None if self._spans is None else self._spans.after_window()
        self._observations.after_window(edges)
        return self._observations

    def _loaded_spans(self, engine: Engine) -> SpanDraws:
        """With the windows of the episode in which telemetry still is when a fork begins."""
        replay, ago = self._replay, np.arange(1, WINDOWS_KEPT)[:, None]
        steps = self._forks.step[None] - ago
        calls = np.where(steps[..., None] >= 0, replay.calls[np.maximum(0, steps)], 0.0)
        seed_keys = np.full(self._forks.lanes, replay.keys[layout.SEED_KEY])
        spans = SpanDraws(engine)
        spans.load(calls, seed_keys, np.maximum(0, steps))
        return spans


def action_of(action: int, service: int) -> SREAction:
    """By number; a wait names no service."""
    name = _ACTIONS[action]
    return SREAction(action=name, service_id=None if action == layout.WAIT else _SERVICES[service])
