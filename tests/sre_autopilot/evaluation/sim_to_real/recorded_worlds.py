"""Recordings of two worlds of noise, equal but for their draws, and how to change one."""

from dataclasses import replace

import numpy as np

from sre_autopilot.evaluation.sim_to_real.run import RealWorld
from sre_autopilot.simulator.calibration.recordings import COLUMNS, Recording
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import WORLD_VERSION, ActionName, Tier

REAL, SIM = "process", "simulator"
STEPS = 12
WAITS = ((ActionName.WAIT, None, True),) * STEPS
DB = Service.USER_DB
HEALTHY = {"calls": 40, "failed": 2, "latency_p99": 30.0, "cpu_pct": 15.0, "memory_pct": 25.0}


def recording(policy="wait", tier=Tier.EASY, seed=1, **changes):
    """An episode of noise around HEALTHY, its own for every seed and world."""
    backend = changes.get("backend", REAL)
    rng = np.random.default_rng([seed, len(policy), len(tier), backend == SIM])
    noise = rng.uniform(0.8, 1.2, (STEPS + 1, len(Service), len(COLUMNS)))
    true = (noise * [HEALTHY[column] for column in COLUMNS]).astype(np.float32)
    fields = {"backend": backend, "world_version": WORLD_VERSION, "actions": WAITS, "true": true}
    return Recording(policy=policy, tier=tier, seed=seed, **{"score": 0.5, **fields, **changes})


def bent(recorded, column, factor):
    true = recorded.true.copy()
    true[:, :, COLUMNS.index(column)] *= factor
    return replace(recorded, true=true)


def world(backend, policies=("wait", "random"), seeds=range(12), **changes):
    return [
        recording(policy, tier, seed, backend=backend, score=0.2 + 0.05 * len(policy), **changes)
        for policy in policies
        for tier in (Tier.EASY, Tier.MEDIUM, Tier.HARD, Tier.CONTROL)
        for seed in seeds
    ]


def played(recordings):
    return {one.key: one for one in recordings}


def real_world(real, **changes):
    return replace(RealWorld(REAL, real, [], []), **changes)
