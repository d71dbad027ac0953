"""A recorded episode once more in the simulator, with its state after every window.

Exact for records of the simulator; for those of a real mesh the same faults and actions, in windows
of the simulator, which differ from the real ones by what `docs/sim-to-real.md` measures.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from chaos.tiers import draw_faults
from orchestrator.episode import Episode, Plan
from sre_autopilot.errors import InvalidValue
from sre_autopilot.grading import EpisodeRecord, FaultRecord
from sre_autopilot.models import SREAction
from sre_autopilot.policies.many import pair_of
from sre_autopilot.simulator import NAME, parameters
from sre_autopilot.simulator.fault_table import encode_faults
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.actions import apply_action
from sre_autopilot.simulator.rules.array_ops import Rows, seed_key
from sre_autopilot.simulator.rules.calls import CALL_ROWS, write_calls
from sre_autopilot.simulator.rules.faults import clear_faults
from sre_autopilot.simulator.rules.step import initial, observe
from sre_autopilot.simulator.rules.window_arrays import Parameters, make_window_arrays
from sre_autopilot.world.draws import visible_seed
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier

_ONE = partial(Rows.zeros, lanes=1)
_A_WAIT = np.array([float(layout.WAIT)]), np.zeros(1)
DEFAULT_BACKEND = "process"
"""Whose fitted parameters a record of the simulator is replayed with unless another is named."""


class Replay(NamedTuple):
    """States of one episode. Row k is that after the window of step k.

    keys: (KEY_COUNT,). x: (steps + 1, FIELD_COUNT). calls: (steps + 1, CALL_ROWS).
    actions: (steps + 1, 2) int64, the action and service of each step by number; row 0 is a wait.
    score: at the end. Where a finished record ends earlier, the episode waits on until it is over.
    """

    tier: Tier
    seed: int
    parameters: Parameters
    keys: Any
    x: Any
    calls: Any
    actions: Any
    score: float

    @property
    def steps(self) -> int:
        """The last one."""
        return len(self.x) - 1


def replay(record: EpisodeRecord, simulator_of: str | None = None) -> Replay:
    """Replays the actions of `record`, as far as the simulated episode lasts.

    simulator_of: the backend whose fitted parameters are taken; by default the record's own, and
        DEFAULT_BACKEND for a record of the simulator.
    Raises InvalidValue for a record that cannot be replayed, UnknownName for `simulator_of`.
    """
    _check(record)
    of_backend = DEFAULT_BACKEND if record.backend == NAME else record.backend
    fitted = parameters.load(simulator_of or of_backend)
    pairs = [pair_of(action) for action in actions_of(record)]
    key, waits_on = record.episode_key, record.finished
    return replay_actions(
        record.tier, record.seed, pairs, fitted, episode_key=key, waits_on=waits_on
    )


def replay_actions(
    tier: Tier,
    seed: int,
    actions: Sequence[tuple[int, int]],
    fitted: Parameters,
    *,
    episode_key: int = 0,
    waits_on: bool = True,
) -> Replay:
    """As `replay`, of an action and a service by number at each step from step 1.

    waits_on: whether an episode that is not over after them waits until it is, for its score.
    """
    lane = layout.Lane(_ONE(layout.KEY_COUNT, np.uint64), _ONE(layout.FIELD_COUNT))
    faults = Rows(encode_faults(draw_faults(tier, seed))[:, None])
    initial(lane, np.array([visible_seed(seed, episode_key)], np.uint64), faults)
    # On a judged server what is observed has another key than what is hidden.
    lane.keys[layout.CURE_KEY] = seed_key(np.array([seed], np.uint64))
    arrays = make_window_arrays(fitted, _ONE)
    clear_faults(arrays.condition)
    pairs, calls = np.array([(layout.WAIT, 0), *actions], np.int64), _ONE(CALL_ROWS)
    states, calls_of_steps = [], []
    for step, pair in enumerate(pairs.astype(np.float64)):
        if step:
            apply_action(lane, pair[:1], pair[1:])
        observe(lane, arrays)
        write_calls(arrays, calls)
        states.append(lane.x.array[:, 0].copy())
        calls_of_steps.append(calls.array[:, 0].copy())
        if lane.x[layout.DONE][0] > 0.0:
            break
    keys, x = lane.keys.array[:, 0].copy(), np.array(states)
    while waits_on and not lane.x[layout.DONE][0] > 0.0:
        apply_action(lane, *_A_WAIT)
        observe(lane, arrays)
    score = float(lane.x[layout.SCORE][0])
    return Replay(tier, seed, fitted, keys, x, np.array(calls_of_steps), pairs[: len(x)], score)


def actions_of(record: EpisodeRecord) -> tuple[SREAction, ...]:
    """What was done at step 1 and after it."""
    acted = (step.action for step in record.steps if step.action is not None)
    return tuple(SREAction(action=each.action, service_id=each.service_id) for each in acted)


def _check(record: EpisodeRecord) -> None:
    """Raises InvalidValue for a record that cannot be replayed."""
    if record.world_version != WORLD_VERSION:
        expected = f"{WORLD_VERSION!r}, the version that this simulator replays"
        raise InvalidValue("world_version", record.world_version, expected)
    if len(record.steps) <= 1:
        raise InvalidValue("steps", len(record.steps) - 1, "1 or more: nothing was done")
    plan = Plan(
        record.episode_id, record.seed, record.tier, draw_faults(record.tier, record.seed), NAME
    )
    drawn = [_identity(fault) for fault in Episode(plan).fault_records]
    if drawn != [_identity(fault) for fault in record.faults]:
        kinds = ", ".join(fault.kind for fault in record.faults)
        expected = f"those of tier {record.tier} and seed {record.seed}"
        raise InvalidValue("faults", kinds, expected)


def _identity(fault: FaultRecord) -> object:
    return fault.model_copy(update={"cured_at": None, "cured_by": None}).model_dump(mode="json")
