"""What one mesh costs in CPU: of itself and its orchestrator, and for each call in it. A minute.

CPU time is nearly the same on a busy machine, so two trees can be compared where latencies cannot.
"""

import time

from benchmarks.episodes import Usage
from benchmarks.figures import Figure
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from sre_autopilot.policies.policy import WAIT
from sre_autopilot.world.vocabulary import Tier

WINDOWS = 20
"""Of an episode without a fault, after the first, which waits for the traffic to begin."""
MILLI = 1000.0


def mesh_cost_figures(runs: int, usage: Usage) -> list[Figure]:
    """Cores, and milliseconds a call between services, windows and orchestrator included."""
    cores, per_call_ms = [], []
    for run in range(runs):
        with Environment(ProcessBackend) as environment:
            environment.reset(seed=run, task_tier=Tier.CONTROL)
            environment.step(WAIT)
            busy_s, began_s = usage.cpu_s(), time.perf_counter()
            for _ in range(WINDOWS):
                environment.step(WAIT)
            busy_s, took_s = usage.cpu_s() - busy_s, time.perf_counter() - began_s
            windows = environment.hidden_state().steps[-WINDOWS:]
            calls = sum(service.calls for step in windows for service in step.true.values())
        cores.append(busy_s / took_s)
        per_call_ms.append(MILLI * busy_s / calls)
    return [
        Figure("CPU of one mesh and its orchestrator, on its own", "cores", "", cores),
        Figure("the same for each call in it", "ms of CPU", "", per_call_ms),
    ]
