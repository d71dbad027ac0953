"""What an action does to a lane: refused or carried out, perhaps a cure; as `orchestrator.actions`
and `chaos.faults` say of one episode. Laws of `reading`; tests hold them against those objects.
"""

from typing import Any

import numpy as np

from sre_autopilot import grading
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.array_ops import (
    column,
    each,
    either,
    law,
    mixed,
    plus,
    real,
    some,
    uniform_of,
    unsigned,
    where,
)
from sre_autopilot.simulator.rules.window_arrays import GATEWAY, SERVICES
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
ROLLBACK_VALUE = grading.ROLLBACK_VALUE
WRONG_SERVICE, INEFFECTIVE = grading.WRONG_SERVICE_PENALTY, grading.INEFFECTIVE_PENALTY
NEEDLESS = grading.NEEDLESS_PENALTY
_CURE = np.uint64(Stream.CURE)


@law
def folded(seed: Any) -> Any:
    """A key of a seed alone."""
    return mixed(seed ^ seed, seed)


@law
def stream_key(folded_seed: Any, stream: Any, step: Any) -> Any:
    """(seed, stream, step) folded; what follows is an index."""
    return mixed(mixed(folded_seed, stream), unsigned(step))


@law
def is_down(x: Any, f: int, step: Any, since: Any) -> Any:
    """Whether `step` lies in a burst of the flap of fault `f`: see `chaos.faults.flap`."""
    period = np.maximum(1.0, x[f + at.PERIOD])
    turn = step - since + x[f + at.PHASE]
    return turn - period * np.floor(turn / period) < x[f + at.BURST]


@law
def is_full(x: Any, s: Any) -> Any:
    """Whether both replicas run: nothing is left to scale up."""
    one, two = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    return (x[at.RUNNING + one] > 0.0) & (x[at.RUNNING + two] > 0.0)


@law
def cannot_go_back(x: Any, s: Any, step: Any) -> Any:
    """Whether the last good release runs already, or the standby will serve only after `step`."""
    one, two = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    good = where(x[at.FIRST + s] > 0.0, x[at.LAST_GOOD + two], x[at.LAST_GOOD + one]) > 0.0
    starting = ((x[at.RUNNING + one] > 0.0) & (x[at.SERVES_FROM + one] > step)) | (
        (x[at.RUNNING + two] > 0.0) & (x[at.SERVES_FROM + two] > step)
    )
    return good | starting


@law
def refused(x: Any, action: Any, s: Any) -> Any:
    """Whether the world refuses `action` on service `s`, as each action's `refusal` says."""
    return (
        ((action == at.RESTART) & (x[at.RESTARTS] >= MAX_RESTARTS))
        | ((action == at.SCALE_UP) & is_full(x, s))
        | ((action == at.CIRCUIT_BREAK) & (column(s) == GATEWAY))
        | ((action == at.ROLLBACK) & cannot_go_back(x, s, x[at.STEP]))
    )


@law
def act(lane: at.Lane, action: Any, service: Any) -> None:
    """The next step begins with `action` on `service` (ignored by wait), both by their number."""
    keys, x = lane
    x[at.STEP] = x[at.STEP] + 1.0
    x[at.ACTION], x[at.ACTED_ON] = action, service
    no = action == at.WAIT
    for s in each(SERVICES):
        here = (service == column(s)) & (action != at.WAIT)
        if some(here):
            no = either(no, here & refused(x, action, s))
    x[at.REFUSED] = real(no & (action != at.WAIT))
    taken = where(no, float(at.WAIT), action)
    cost = 0.0 * x[at.STEP]
    for number in range(at.WAIT):
        cost = where(taken == number, COSTS[number], cost)
    x[at.SPENT] = cost
    x[at.COST] = x[at.COST] + cost
    x[at.RESTARTS] = x[at.RESTARTS] + real(taken == at.RESTART)
    acted = taken != at.WAIT
    x[at.TWO_BREAKS_BEFORE] = x[at.BREAK_BEFORE]
    x[at.BREAK_BEFORE] = x[at.LAST_BREAK]
    x[at.LAST_BREAK] = 0.0
    if some(acted):
        _cure(keys, x, taken, service)
        _carry_out(x, taken, service)


@law
def _carry_out(x: Any, taken: Any, service: Any) -> None:
    """Moves the replicas and breakers of the service acted on."""
    for s in each(SERVICES):
        on = (service == column(s)) & (taken != at.WAIT)
        if some(on):
            restarting = on & (taken == at.RESTART)
            x[at.HELD_OUT + s] = real(restarting)
            until = at.BREAKER_UNTIL + s
            broken = on & (taken == at.CIRCUIT_BREAK)
            x[until] = where(broken, x[at.STEP] + BREAKER_STEPS, x[until])
            back = on & (taken == at.ROLLBACK)
            _move(x, s, (restarting, on & (taken == at.SCALE_UP), back))


@law
def _move(x: Any, s: Any, moves: Any) -> None:
    """Replicas of one service: restarted, scaled up, rolled back, or as they were."""
    restarting, scaling, back = moves
    step, first = x[at.STEP], x[at.FIRST + s]
    one, two = s * MAX_REPLICAS, s * MAX_REPLICAS + 1
    both = (x[at.RUNNING + one] > 0.0) & (x[at.RUNNING + two] > 0.0)
    # Who takes over, or joins: the standby; with both running, the one that came last.
    other = where(both, 1.0 - first, real(x[at.RUNNING + one] > 0.0))
    good = where(first > 0.0, x[at.LAST_GOOD + two], x[at.LAST_GOOD + one])
    for i in range(MAX_REPLICAS):
        r = s * MAX_REPLICAS + i
        joins = (scaling | back) & (other == i)
        # One that was brought back for this very step is as new as it can be.
        again = restarting & (x[at.RUNNING + r] > 0.0) & (x[at.STARTED_AT + r] != step)
        begins = joins | again
        x[at.RUNNING + r] = where(joins, 1.0, where(back, 0.0, x[at.RUNNING + r]))
        x[at.LAST_GOOD + r] = where(joins, where(back, 1.0, good), x[at.LAST_GOOD + r])
        x[at.STARTED_AT + r] = where(begins, step, x[at.STARTED_AT + r])
        serves_from = step + where(back, 0.0, float(SCALE_UP_STEPS))
        x[at.SERVES_FROM + r] = where(joins, serves_from, x[at.SERVES_FROM + r])
        x[at.BEGUN + r] = real(begins)
        x[at.LEAKED_MB + r] = where(begins, 0.0, x[at.LEAKED_MB + r])
    x[at.FIRST + s] = where(back, other, first)


@law
def _cure(keys: Any, x: Any, taken: Any, service: Any) -> None:
    """Which faults the action cures, and what it costs in blame: see `grader`."""
    step = x[at.STEP]
    acted = taken != at.WAIT
    cures = acted & (step < 0.0)
    root = acted & (step < 0.0)
    tried = acted & (step < 0.0)
    anything = acted & (step < 0.0)
    for number in range(at.FAULTS):
        f = at.FAULT + number * at.FAULT_FIELDS
        there = x[f + at.KIND] != at.NO_FAULT
        if some(there):
            here = acted & there & (service == x[f + at.ROOT])
            open_ = here & (x[f + at.CURED_AT] >= at.NEVER)
            cured_at = where(open_, _cure_step(keys, x, f, taken), at.NEVER)
            now = cured_at < at.NEVER
            cheap = taken == x[f + at.CHEAP_CURE]
            x[f + at.CURED_AT] = where(now, cured_at, x[f + at.CURED_AT])
            value = where(cheap, 1.0, where(taken == at.ROLLBACK, ROLLBACK_VALUE, 0.0))
            x[f + at.CURED_VALUE] = where(now, value, x[f + at.CURED_VALUE])
            anything, root, cures = anything | there, root | here, cures | now
            by_chance = (x[f + at.KIND] == at.SINGLE_OOM) & (taken == at.RESTART)
            tried = tried | (here & by_chance & (step < x[f + at.CURED_AT]))
    blame = where(
        anything, where(root, where(cures | tried, 0.0, INEFFECTIVE), WRONG_SERVICE), NEEDLESS
    )
    x[at.PENALTY] = x[at.PENALTY] + where(acted, blame, 0.0)
    # A circuit break behind which a restart of the same service cures is forgiven afterwards.
    drained = cures & (taken == at.RESTART)
    for before in (at.BREAK_BEFORE, at.TWO_BREAKS_BEFORE):
        forgiven = drained & (x[before] == service + 1.0)
        x[at.PENALTY] = x[at.PENALTY] - where(forgiven, INEFFECTIVE, 0.0)
    drains = (taken == at.CIRCUIT_BREAK) & root & (cures ^ True)
    x[at.LAST_BREAK] = where(drains, service + 1.0, 0.0)


@law
def _cure_step(keys: Any, x: Any, f: int, taken: Any) -> Any:
    """Step from which fault `f` is cured by `taken` on its root, as its `on_action` says."""
    step, kind, cause = x[at.STEP], x[f + at.KIND], x[f + at.CAUSE]
    chance = mixed(stream_key(keys[at.FOLDED], _CURE, step), unsigned(x[f + at.ROOT]))
    lucky = uniform_of(chance) < OOM_RESTART_CURES
    until = 0.0 * step
    for s in each(SERVICES):
        until = plus(until, where(x[f + at.ROOT] == column(s), x[at.BREAKER_UNTIL + s], 0.0))
    drained = is_down(x, f, step, 0.0) | (until > step)
    leak = kind == at.DB_CONNECTION_LEAK
    flap = kind == at.FLAPPING_NETWORK
    by_restart = (
        ((kind == at.SINGLE_OOM) & lucky) | leak | (flap & (cause == at.STALE_CONNECTION) & drained)
    )
    now = (taken == at.ROLLBACK) | ((taken == at.RESTART) & by_restart)
    later = (taken == at.SCALE_UP) & flap & (cause == at.NOISY_NEIGHBOUR)
    return where(now, step, where(later, step + SCALE_UP_STEPS, at.NEVER))
