"""The pure heart of the simulator: an episode begins, `moves.act` changes it, a window passes.

Laws of `reading`. A story is a row of faults as `stories` draws them; nothing here draws one.
"""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.simulator.rules.actions import folded, stream_key
from sre_autopilot.simulator.rules.array_ops import each, law, rows_from
from sre_autopilot.simulator.rules.faults import impair, in_lane
from sre_autopilot.simulator.rules.observation import lags, look, tell
from sre_autopilot.simulator.rules.scoring import bring_back, judge
from sre_autopilot.simulator.rules.traffic import pass_window
from sre_autopilot.simulator.rules.window_arrays import SERVICES, Carried, Scene
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.topology import MAX_REPLICAS

_SIMULATOR, _LIFE = np.uint64(Stream.SIMULATOR), np.uint64(Stream.LIFE)


@law
def initial(lane: at.Lane, seed: Any, story: Any) -> None:
    """A fresh mesh with the faults of `story`, before the window of step 0."""
    keys, x = lane
    keys[at.SEED], keys[at.FOLDED] = seed, folded(seed)
    for field in each(at.BEFORE):
        x[field] = 0.0
    for field in each(at.FIELDS - at.BEFORE):
        x[at.BEFORE + field] = np.nan
    for field in each(at.FAULTS * at.FAULT_FIELDS):
        x[at.FAULT + field] = story[field]
    for s in each(SERVICES):
        x[at.RUNNING + s * MAX_REPLICAS] = 1.0
        x[at.VERDICT + s] = 1.0
    x[at.ACTION] = at.WAIT
    x[at.RECOVERED_AT] = at.NEVER
    lags(lane)


@law
def observe(lane: at.Lane, scene: Scene) -> None:
    """Lets the window of this step pass, judges it, and shows what arrives of it."""
    keys, x = lane
    condition = in_lane(lane, scene.condition)
    carried = Carried(rows_from(x, at.HANGING), rows_from(x, at.AWAY))
    impair(lane, condition)
    here = Scene(scene.parameters, condition, scene.work, scene.measured, carried)
    life = stream_key(keys[at.FOLDED], _LIFE, x[at.STEP])
    pass_window(stream_key(keys[at.FOLDED], _SIMULATOR, x[at.STEP]), life, here)
    tell(scene.measured, condition.breaker_open)
    look(lane, scene.measured.truth)
    judge(lane, condition, scene.measured)
    bring_back(lane, scene.measured)
