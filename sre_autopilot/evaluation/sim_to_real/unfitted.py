"""Simulators that are not fitted, to show what fitting is worth: guessed, or randomised.

Guesses are read from the vocabulary alone, without a recording. Randomised parameters are fitted
ones, each times a log-normal factor of its own, drawn for every seed: domain randomisation, as
learners use it that have no fitted simulator.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import STEP_SECONDS as PROCESS_STEP_SECONDS
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.rules.window_arrays import SERVICE_COUNT, Parameters
from sre_autopilot.world.draws import Stream, log_normal, normal
from sre_autopilot.world.shapes import NOMINAL_CPU_PCT
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.stack import STEP_SECONDS as STACK_STEP_SECONDS
from sre_autopilot.world.topology import ARRIVALS_PER_S, CALL_TIMEOUT_S, JOURNEY_SHARES

STEP_SECONDS = {
    ProcessBackend.name: PROCESS_STEP_SECONDS,
    DockerBackend.name: STACK_STEP_SECONDS,
}
GUESSED_P99_MS = P99_LIMIT_MS / 4
"""p99 of every service: well within the SLA."""
GUESSED_MEMORY_PCT = 25.0
SIGMA = 0.5
"""Standard deviation of log factors: nineteen of twenty factors lie between 0.38 and 2.7."""
MOST = {
    **dict.fromkeys(("deferred", "died_early", "early", "rejoins_late", "slow_checkout"), 1.0),
    "memory_pct": 90.0,
}
"""Shares end at 1, and no process is killed for its memory at rest."""
NOT_FITTED = "normal"
_FACTORS = 1 << 32
"""In place of a step in the keys of factors, so that no window draws the same numbers."""


def guessed(shapes: Parameters, window_s: float) -> Parameters:
    """Traffic as the vocabulary has it, services all alike, and 0 for everything else.

    shapes: any parameters; their values are not read.
    """
    shares = np.array(list(JOURNEY_SHARES.values()))
    nothing = {name: np.zeros_like(value) for name, value in shapes._asdict().items()}
    guesses = {
        "arrivals": ARRIVALS_PER_S * window_s * shares,
        "stall_lost": 1.0,
        "deferred": min(1.0, CALL_TIMEOUT_S / window_s),
        "latency_ms": nothing["latency_ms"] + GUESSED_P99_MS,
        "memory_pct": nothing["memory_pct"] + GUESSED_MEMORY_PCT,
        "cpu_idle_pct": nothing["cpu_idle_pct"] + NOMINAL_CPU_PCT,
        "cpu_started_pct": NOMINAL_CPU_PCT,
        "normal": parameters.normal_table(),
    }
    return Parameters(**nothing | guesses)


def scaled(fitted: Parameters, draw: int, seed: int) -> Parameters:
    """The parameters of the `draw`-th world of a seed; equal draws and seeds give equal ones."""
    values = fitted._asdict()
    for number, name in enumerate(Parameters._fields):
        if name == NOT_FITTED:
            continue
        value = np.asarray(values[name], np.float64)
        # Each row is a service or a journey, with a factor of its own; a longer array is one curve.
        rows = len(value) if value.ndim and len(value) <= SERVICE_COUNT else 1
        z = [
            normal(seed, Stream.SIMULATOR, _FACTORS + draw, number * SERVICE_COUNT + row)
            for row in range(rows)
        ]
        factors = np.array([log_normal(1.0, SIGMA, each) for each in z])
        by_row = factors.reshape(-1, *[1] * (value.ndim - 1)) if rows > 1 else factors[0]
        values[name] = np.minimum(value * by_row, MOST.get(name, np.inf))
    return Parameters(**values)


class SimulatorBySeed(SimulatorBackend):
    """The simulator with other parameters for each seed."""

    def __init__(self, parameters_of: Callable[[int], Parameters]) -> None:
        super().__init__()
        self._parameters_of = parameters_of

    async def launch(self, seed: int) -> None:
        self._mesh.parameters = self._parameters_of(seed)
        await super().launch(seed)


def guessed_world(backend: str) -> Environment:
    """Guesses for a real backend; only the length of its window is read."""
    guess = guessed(parameters.load(backend), STEP_SECONDS[backend])
    return Environment(lambda: SimulatorBySeed(lambda _seed: guess))


def randomised_world(backend: str, draw: int) -> Environment:
    """Raises UnknownName where nothing is fitted to the backend."""
    worlds = partial(scaled, parameters.load(backend), draw)
    return Environment(lambda: SimulatorBySeed(worlds))
