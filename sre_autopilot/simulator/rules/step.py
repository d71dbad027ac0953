"""How an episode begins in a lane, and how one window passes in it: the order of the rules.

An engine calls `initial`, or `actions.apply_action`, and then `observe`. Faults are rows that
`fault_draws` or `fault_table` writes; nothing here draws one.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import (
    each_row,
    rows_from,
    rule,
    seed_key,
    stream_key,
)
from sre_autopilot.simulator.rules.faults import apply_faults, condition_of
from sre_autopilot.simulator.rules.observation import draw_lags, observe_metrics, record_truth
from sre_autopilot.simulator.rules.scoring import restart_killed, score_window
from sre_autopilot.simulator.rules.traffic import run_window
from sre_autopilot.simulator.rules.window_arrays import SERVICE_COUNT, Carried, WindowArrays
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.topology import MAX_REPLICAS

_SIMULATOR, _PROCESS_START = np.uint64(Stream.SIMULATOR), np.uint64(Stream.PROCESS_START)


@rule
def initial(lane: layout.Lane, seed: Any, faults: Any) -> None:
    """A fresh mesh before the window of step 0.

    seed: uint64, one per lane. faults: MAX_FAULTS * FAULT_WIDTH rows of a fault table.
    """
    keys, x = lane
    key = seed_key(seed)
    keys[layout.SEED], keys[layout.SEED_KEY], keys[layout.CURE_KEY] = seed, key, key
    for field in each_row(layout.TRUTH_1_AGO):
        x[field] = 0.0
    # No window has passed: what telemetry would report of earlier ones is unknown.
    for field in each_row(layout.FIELD_COUNT - layout.TRUTH_1_AGO):
        x[layout.TRUTH_1_AGO + field] = np.nan
    for field in each_row(layout.MAX_FAULTS * layout.FAULT_WIDTH):
        x[layout.FAULT + field] = faults[field]
    for s in each_row(SERVICE_COUNT):
        x[layout.RUNNING + s * MAX_REPLICAS] = 1.0
        x[layout.VERDICT + s] = 1.0
    x[layout.ACTION] = layout.WAIT
    x[layout.RECOVERED_AT] = layout.NEVER
    draw_lags(lane)


@rule
def observe(lane: layout.Lane, arrays: WindowArrays) -> None:
    """Runs the window of this step, writes what the agent observes of it, and scores it."""
    keys, x = lane
    condition = condition_of(lane, arrays.condition)
    carried = Carried(
        hanging=rows_from(x, layout.HANGING),
        unserved=rows_from(x, layout.UNSERVED),
        hung=rows_from(x, layout.HUNG),
        silent=rows_from(x, layout.SILENT),
    )
    apply_faults(lane, condition)
    window = WindowArrays(arrays.parameters, condition, arrays.work, arrays.measured, carried)
    start_key = stream_key(keys[layout.SEED_KEY], _PROCESS_START, x[layout.STEP])
    run_window(stream_key(keys[layout.SEED_KEY], _SIMULATOR, x[layout.STEP]), start_key, window)
    record_truth(arrays.measured, condition.breaker_open)
    observe_metrics(lane, arrays.measured.truth)
    score_window(lane, condition, arrays.measured)
    # Last, as in `orchestrator.environment`: a killed process is back before the next window.
    restart_killed(lane, arrays.measured)
