"""Numbers that stand in sentences of the documents: name -> its value, spelt.

A document writes `<!-- n:MAX_STEPS -->30<!-- /n -->`; `make generate` renews what stands between.
"""

from collections.abc import Mapping

from orchestrator import noise, reward
from orchestrator.backends.process import backend
from sre_autopilot import grading
from sre_autopilot.world import shapes, sla, stack, topology, vocabulary
from sre_autopilot.world.topology import LIMITS
from tools.markdown import spelt

REPLICA_MEMORY_MB = max(limits.memory_limit_mb for limits in LIMITS.values())
LAG_PERCENT = [
    round(100 * (bound - before))
    for (bound, _), before in zip(
        noise.LAG_STEPS_BELOW,
        [0.0, *(bound for bound, _ in noise.LAG_STEPS_BELOW)],
        strict=False,
    )
]

VALUES: Mapping[str, float | tuple[float, ...]] = {
    # An episode
    "MAX_STEPS": vocabulary.MAX_STEPS,
    "MAX_RESTARTS": vocabulary.MAX_RESTARTS,
    "RECOVERY_WINDOWS": vocabulary.RECOVERY_WINDOWS,
    "ACTION_HISTORY_LENGTH": vocabulary.ACTION_HISTORY_LENGTH,
    "BREAKER_STEPS": vocabulary.BREAKER_STEPS,
    "SCALE_UP_STEPS": vocabulary.SCALE_UP_STEPS,
    "IMPAIRMENT_TTL_S": vocabulary.IMPAIRMENT_TTL_S,
    "OOM_EXIT_CODE": vocabulary.OOM_EXIT_CODE,
    "PROCESS_WINDOW_S": backend.STEP_SECONDS,
    "CONTAINER_WINDOW_S": stack.STEP_SECONDS,
    # The mesh
    "ARRIVALS_PER_S": topology.ARRIVALS_PER_S,
    "MAX_REPLICAS": topology.MAX_REPLICAS,
    "CALL_TIMEOUT_MS": 1000 * topology.CALL_TIMEOUT_S,
    "USER_TIMEOUT_MS": 1000 * topology.USER_TIMEOUT_S,
    "POOL_SIZE": topology.POOL_SIZE,
    "POOL_CHECKOUT_TIMEOUT_S": topology.POOL_CHECKOUT_TIMEOUT_S,
    "STORAGE_DELAY_MEDIAN_MS": topology.STORAGE_DELAY_MEDIAN_MS,
    "STORAGE_CONTENTION_PCT": 100 * topology.STORAGE_CONTENTION,
    "PROVIDER_DELAY_MEDIAN_MS": topology.PROVIDER_DELAY_MEDIAN_MS,
    "P99_LIMIT_MS": sla.P99_LIMIT_MS,
    "ERROR_RATE_LIMIT_PCT": 100 * sla.ERROR_RATE_LIMIT,
    "FORGIVEN_FAILURES": sla.FORGIVEN_FAILURES,
    "CONTAINER_MEMORY_MB": REPLICA_MEMORY_MB + stack.RUNTIME_MEMORY_MB,
    # Faults
    "OOM_LEAK_MB_PER_STEP": shapes.OOM_LEAK_MB_PER_STEP,
    "OOM_RESTART_CURES": shapes.OOM_RESTART_CURES,
    "LEAK_HELD_BY_DATABASE_PCT": 100 * shapes.LEAK_HELD_BY_DATABASE,
    "LEAK_FILL_STEPS": shapes.LEAK_FILL_STEPS,
    "LEAK_HOLDER_MEMORY_MB": shapes.LEAK_HOLDER_MEMORY_MB_PER_STEP,
    "PAIR_SHARE_PCT": 100 * shapes.PAIR_SHARE,
    "STALL_CYCLE_S": shapes.STALL_CYCLE_S,
    "NEIGHBOUR_CPU_FACTOR": max(shape.cpu_factor[1] for shape in shapes.FLAP_SHAPES.values()),
    # Observation
    "LATENCY_NOISE_RATIO": noise.LATENCY_NOISE_RATIO,
    "ERROR_RATE_NOISE": noise.ERROR_RATE_NOISE,
    "PERCENT_NOISE": noise.PERCENT_NOISE,
    "METRIC_LOSS_PCT": 100 * noise.METRIC_LOSS_RATIO,
    "METRIC_LOSS_RATIO": noise.METRIC_LOSS_RATIO,
    "SPAN_LOSS_PCT": 100 * noise.SPAN_LOSS_RATIO,
    "SPAN_LOSS_RATIO": noise.SPAN_LOSS_RATIO,
    "MAX_LAG_STEPS": vocabulary.MAX_LAG_STEPS,
    "LAG_0_PCT": LAG_PERCENT[0],
    "LAG_1_PCT": LAG_PERCENT[1],
    "LAG_2_PCT": LAG_PERCENT[2],
    # Hint and score
    "HINT_COST_SCALE": reward.COST_SCALE,
    "HINT_DOWN_ERROR_RATE": reward.DOWN_ERROR_RATE,
    "HINT_RESOLUTION_BONUS": reward.RESOLUTION_BONUS,
    "SPEED_STEPS": grading.SPEED_STEPS,
    "BUDGET_UNITS": grading.BUDGET_UNITS,
    "CURED_BUDGET_SHARE": 1 - grading.UNCURED_PENALTY,
    "UNCURED_PENALTY": grading.UNCURED_PENALTY,
    "ROLLBACK_VALUE": grading.ROLLBACK_VALUE,
    "WRONG_SERVICE_PENALTY": grading.WRONG_SERVICE_PENALTY,
    "INEFFECTIVE_PENALTY": grading.INEFFECTIVE_PENALTY,
    "NEEDLESS_PENALTY": grading.NEEDLESS_PENALTY,
}


def fact(name: str) -> str:
    """The value of that name as a sentence has it. Raises KeyError for an unknown name."""
    return spelt(VALUES[name])
