"""What an action does in a lane: refused or carried out, which faults it cures, and its penalty.

The same rules as `orchestrator.actions`, `Fault.on_action` of `chaos.faults` and the root-cause
term of `sre_autopilot.grading`, over arrays; tests/sre_autopilot/simulator/rules hold both equal.
Never lets a window pass.
"""

from typing import Any

import numpy as np

from sre_autopilot import grading
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import (
    accumulate,
    accumulate_any,
    any_lane,
    each_row,
    fold_key,
    negate,
    no_lane,
    row_numbers,
    rule,
    stream_key,
    to_float,
    to_key,
    uniform_of_key,
    where,
    zeros_like,
)
from sre_autopilot.simulator.rules.window_arrays import GATEWAY, SERVICE_COUNT
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.shapes import OOM_RESTART_CURES
from sre_autopilot.world.topology import MAX_REPLICAS
from sre_autopilot.world.vocabulary import (
    ACTION_COSTS,
    BREAKER_STEPS,
    MAX_RESTARTS,
    SCALE_UP_STEPS,
    ActionName,
)

COSTS = np.array([ACTION_COSTS[action] for action in ActionName], np.float64)
"""Cost units by action number."""
ROLLBACK_VALUE = grading.ROLLBACK_VALUE
WRONG_SERVICE, INEFFECTIVE = grading.WRONG_SERVICE_PENALTY, grading.INEFFECTIVE_PENALTY
NEEDLESS = grading.NEEDLESS_PENALTY
_CURE = np.uint64(Stream.CURE)


@rule
def in_burst(x: Any, f: int, step: Any, since: Any) -> Any:
    """Whether `step` lies in a burst of the flapping fault at `f`: `chaos.faults.flap.Flap.down`.

    since: step at which the rhythm began, the start of the episode or of the replica.
    """
    # An empty fault slot has period 0: a divisor of 1 keeps NaN out of lanes without a flap.
    period = np.maximum(1.0, x[f + layout.PERIOD])
    position = step - since + x[f + layout.PHASE]
    # position modulo period; all are small whole numbers, so this is exact.
    return position - period * np.floor(position / period) < x[f + layout.BURST]


@rule
def is_full(x: Any, s: Any) -> Any:
    """Whether both replicas of service `s` run, so that nothing is left to scale up."""
    one, two = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    return (x[layout.RUNNING + one] > 0.0) & (x[layout.RUNNING + two] > 0.0)


@rule
def rollback_refused(x: Any, s: Any, step: Any) -> Any:
    """Whether the last good release runs already, or a replica starts that serves after `step`."""
    one, two = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    last_good = where(
        x[layout.FIRST + s] > 0.0, x[layout.LAST_GOOD + two], x[layout.LAST_GOOD + one]
    )
    starting = ((x[layout.RUNNING + one] > 0.0) & (x[layout.SERVES_FROM + one] > step)) | (
        (x[layout.RUNNING + two] > 0.0) & (x[layout.SERVES_FROM + two] > step)
    )
    return (last_good > 0.0) | starting


@rule
def is_refused(x: Any, action: Any, s: Any) -> Any:
    """Whether `action` on service `s` is refused: `refusal` of each `orchestrator.actions`."""
    return (
        ((action == layout.RESTART) & (x[layout.RESTARTS] >= MAX_RESTARTS))
        | ((action == layout.SCALE_UP) & is_full(x, s))
        | ((action == layout.CIRCUIT_BREAK) & (row_numbers(s) == GATEWAY))
        | ((action == layout.ROLLBACK) & rollback_refused(x, s, x[layout.STEP]))
    )


@rule
def apply_action(lane: layout.Lane, action: Any, service: Any) -> None:
    """Begins the next step with `action` on `service`, both by number; wait ignores `service`."""
    keys, x = lane
    x[layout.STEP] = x[layout.STEP] + 1.0
    x[layout.ACTION], x[layout.ACTED_ON] = action, service
    refused = action == layout.WAIT
    for s in each_row(SERVICE_COUNT):
        here = (service == row_numbers(s)) & (action != layout.WAIT)
        if any_lane(here):
            refused = accumulate_any(refused, here & is_refused(x, action, s))
    x[layout.REFUSED] = to_float(refused & (action != layout.WAIT))
    accepted = where(refused, float(layout.WAIT), action)
    cost = zeros_like(x[layout.STEP])
    for number in range(layout.WAIT):
        cost = where(accepted == number, COSTS[number], cost)
    x[layout.STEP_COST] = cost
    x[layout.COST] = x[layout.COST] + cost
    x[layout.RESTARTS] = x[layout.RESTARTS] + to_float(accepted == layout.RESTART)
    intrusive = accepted != layout.WAIT
    x[layout.BREAK_2_AGO] = x[layout.BREAK_1_AGO]
    x[layout.BREAK_1_AGO] = x[layout.BREAK_NOW]
    x[layout.BREAK_NOW] = 0.0
    if any_lane(intrusive):
        # Cures first: they depend on the deployment as it was before the action.
        _cure(keys, x, accepted, service)
        _change_replicas(x, accepted, service)


@rule
def _change_replicas(x: Any, accepted: Any, service: Any) -> None:
    """Changes the replicas and the breaker of the service acted on."""
    for s in each_row(SERVICE_COUNT):
        here = (service == row_numbers(s)) & (accepted != layout.WAIT)
        if any_lane(here):
            restarting = here & (accepted == layout.RESTART)
            x[layout.OUT_OF_ROTATION + s] = to_float(restarting)
            until = layout.BREAKER_UNTIL + s
            opening = here & (accepted == layout.CIRCUIT_BREAK)
            x[until] = where(opening, x[layout.STEP] + BREAKER_STEPS, x[until])
            scaling = here & (accepted == layout.SCALE_UP)
            rolling_back = here & (accepted == layout.ROLLBACK)
            _change_replicas_of(x, s, (restarting, scaling, rolling_back))


@rule
def _change_replicas_of(x: Any, s: Any, changes: Any) -> None:
    """Replicas of one service: restarted, scaled up, rolled back, or as they were.

    changes: three flags per lane, in that order; at most one of them is set.
    """
    restarting, scaling, rolling_back = changes
    step, first = x[layout.STEP], x[layout.FIRST + s]
    one, two = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    both = (x[layout.RUNNING + one] > 0.0) & (x[layout.RUNNING + two] > 0.0)
    # The replica that joins or takes over: the standby, or with both running the younger one.
    # A replica's number is 0 or 1, so "replica 0 runs" is the number of the standby.
    other = where(both, 1.0 - first, to_float(x[layout.RUNNING + one] > 0.0))
    last_good = where(first > 0.0, x[layout.LAST_GOOD + two], x[layout.LAST_GOOD + one])
    for i in range(MAX_REPLICAS):
        r = s * MAX_REPLICAS + i
        joins = (scaling | rolling_back) & (other == i)
        starts = joins | restarting & (x[layout.RUNNING + r] > 0.0)
        running = where(rolling_back, 0.0, x[layout.RUNNING + r])
        x[layout.RUNNING + r] = where(joins, 1.0, running)
        release = where(rolling_back, 1.0, last_good)
        x[layout.LAST_GOOD + r] = where(joins, release, x[layout.LAST_GOOD + r])
        x[layout.STARTED_AT + r] = where(starts, step, x[layout.STARTED_AT + r])
        serves_from = step + where(rolling_back, 0.0, float(SCALE_UP_STEPS))
        x[layout.SERVES_FROM + r] = where(joins, serves_from, x[layout.SERVES_FROM + r])
        x[layout.STARTED_IN_WINDOW + r] = to_float(starts)
        x[layout.LEAKED_MB + r] = where(starts, 0.0, x[layout.LEAKED_MB + r])
    x[layout.FIRST + s] = where(rolling_back, other, first)


@rule
def _cure(keys: Any, x: Any, accepted: Any, service: Any) -> None:
    """Which faults the action cures, and its root-cause penalty: `grading`'s root-cause term."""
    step = x[layout.STEP]
    intrusive = accepted != layout.WAIT
    # Flags over both faults: one is cured, one has its root here, one may be cured by a repeated
    # try, one exists at all.
    cures, at_root, tried, faulty = no_lane(step), no_lane(step), no_lane(step), no_lane(step)
    for number in range(layout.MAX_FAULTS):
        f = layout.FAULT + number * layout.FAULT_WIDTH
        exists = x[f + layout.KIND] != layout.NO_FAULT
        if any_lane(exists):
            here = intrusive & exists & (service == x[f + layout.ROOT])
            uncured = here & (x[f + layout.CURED_AT] >= layout.NEVER)
            cured_at = where(uncured, cure_step(keys, x, f, accepted), layout.NEVER)
            cured = cured_at < layout.NEVER
            cheap = accepted == x[f + layout.CHEAP_CURE]
            x[f + layout.CURED_AT] = where(cured, cured_at, x[f + layout.CURED_AT])
            # What the root-cause term pays: all for the cheap cure, a part for a rollback.
            value = where(cheap, 1.0, where(accepted == layout.ROLLBACK, ROLLBACK_VALUE, 0.0))
            x[f + layout.CURED_VALUE] = where(cured, value, x[f + layout.CURED_VALUE])
            faulty, at_root, cures = faulty | exists, at_root | here, cures | cured
            # A restart that fails to cure a leak by bad luck is the right try: no penalty.
            by_chance = (x[f + layout.KIND] == layout.SINGLE_OOM) & (accepted == layout.RESTART)
            tried = tried | (here & by_chance & (step < x[f + layout.CURED_AT]))
    at_cause = where(cures | tried, 0.0, INEFFECTIVE)
    penalty = where(faulty, where(at_root, at_cause, WRONG_SERVICE), NEEDLESS)
    x[layout.PENALTY] = x[layout.PENALTY] + where(intrusive, penalty, 0.0)
    # A circuit break on the root, followed within two steps by a restart that cures there, was
    # the way to drain stale connections: its penalty is taken back.
    drained = cures & (accepted == layout.RESTART)
    for break_ago in (layout.BREAK_1_AGO, layout.BREAK_2_AGO):
        forgiven = drained & (x[break_ago] == service + 1.0)
        x[layout.PENALTY] = x[layout.PENALTY] - where(forgiven, INEFFECTIVE, 0.0)
    drains = (accepted == layout.CIRCUIT_BREAK) & at_root & negate(cures)
    x[layout.BREAK_NOW] = where(drains, service + 1.0, 0.0)


@rule
def cure_step(keys: Any, x: Any, f: int, accepted: Any) -> Any:
    """Step from which the fault at `f` is cured by an action on its root, NEVER if it is not.

    `on_action` of `single_oom`, `db_connection_leak` and `flapping_network`.
    """
    step, kind, cause = x[layout.STEP], x[f + layout.KIND], x[f + layout.CAUSE]
    chance = fold_key(stream_key(keys[layout.CURE_KEY], _CURE, step), to_key(x[f + layout.ROOT]))
    lucky = uniform_of_key(chance) < OOM_RESTART_CURES
    # The root differs from lane to lane: a sum over services of which one is not 0.
    open_until = zeros_like(step)
    for s in each_row(SERVICE_COUNT):
        of_root = x[f + layout.ROOT] == row_numbers(s)
        open_until = accumulate(open_until, where(of_root, x[layout.BREAKER_UNTIL + s], 0.0))
    drained = in_burst(x, f, step, 0.0) | (open_until > step)
    flapping = kind == layout.FLAPPING_NETWORK
    by_restart = (
        ((kind == layout.SINGLE_OOM) & lucky)
        | (kind == layout.DB_CONNECTION_LEAK)
        | (flapping & (cause == layout.STALE_CONNECTION) & drained)
    )
    now = (accepted == layout.ROLLBACK) | ((accepted == layout.RESTART) & by_restart)
    later = (accepted == layout.SCALE_UP) & flapping & (cause == layout.NOISY_NEIGHBOUR)
    return where(now, step, where(later, step + SCALE_UP_STEPS, layout.NEVER))
