"""The pure heart of the simulator: `initial`, `transition`, `observe`, over a lane or many.

Laws of `reading`. A story is a row of faults as `stories` draws them; nothing here draws one.
"""

from typing import Any

import numpy as np

from orchestrator.backends.simulator import lane as at
from orchestrator.backends.simulator.graded import bring_back, judge
from orchestrator.backends.simulator.impaired import impair
from orchestrator.backends.simulator.moves import act, folded, stream_key
from orchestrator.backends.simulator.reading import law
from orchestrator.backends.simulator.scene import EDGES, REPLICAS, SERVICES, Scene
from orchestrator.backends.simulator.seen import lags, look, remember
from orchestrator.backends.simulator.window import pass_window
from services.mesh.draws import Stream
from services.mesh.topology import MAX_REPLICAS

_SIMULATOR, _LIFE = np.uint64(Stream.SIMULATOR), np.uint64(Stream.LIFE)


@law
def initial(lane: at.Lane, seed: Any, story: Any) -> None:
    """A fresh mesh with the faults of `story`, before the window of step 0."""
    keys, x = lane
    keys[at.SEED], keys[at.FOLDED] = seed, folded(seed)
    zero = 0.0 * story[0]
    for field in range(at.FAULT):
        x[field] = zero
    for field in range(at.FAULTS * at.FAULT_FIELDS):
        x[at.FAULT + field] = story[field]
    for field in range(at.RUNNING, at.TRUTH):
        x[field] = zero
    for field in range(at.TRUTH, at.FIELDS):
        x[field] = zero + np.nan
    life = stream_key(keys[at.FOLDED], _LIFE, zero)
    for s in range(SERVICES):
        x[at.RUNNING + s * MAX_REPLICAS] = zero + 1.0
        x[at.VERDICT + s] = zero + 1.0
    for r in range(REPLICAS):
        keys[at.LIVES + r] = life
    x[at.ACTION] = zero + at.WAIT
    x[at.RECOVERED_AT] = zero + at.NEVER
    lags(lane)


@law
def observe(lane: at.Lane, scene: Scene) -> None:
    """Lets the window of this step pass, judges it, and shows what arrives of it."""
    keys, x = lane
    impair(lane, scene.condition)
    for edge in range(EDGES):
        scene.hanging[edge] = x[at.HANGING + edge]
    pass_window(stream_key(keys[at.FOLDED], _SIMULATOR, x[at.STEP]), scene)
    for edge in range(EDGES):
        x[at.HANGING + edge] = scene.hanging[edge]
    remember(lane, scene.measured, scene.condition.breaker_open)
    look(lane)
    judge(lane, scene.condition, scene.measured)
    bring_back(lane, scene.measured)


@law
def transition(lane: at.Lane, action: Any, service: Any, scene: Scene) -> None:
    """One step: an action, then the window after it."""
    act(lane, action, service)
    observe(lane, scene)
