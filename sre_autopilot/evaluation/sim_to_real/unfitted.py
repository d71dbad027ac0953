"""Simulators that are not fitted, to show what fitting is worth: guessed, or bent at random.

A guess reads the vocabulary, as one would who never saw the mesh run. Bent parameters are fitted
ones, each times a log-normal factor of its own, drawn anew for every seed: what a learner is given
who trains on many worlds for want of the right one.
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
"""Of every service: well within the SLA."""
GUESSED_MEMORY_PCT = 25.0
SIGMA = 0.5
"""Of the log-normal factors: nineteen of twenty lie between 0.38 and 2.7."""
MOST = {
    **dict.fromkeys(("deferred", "died_early", "early", "rejoins_late", "slow_checkout"), 1.0),
    "memory_pct": 90.0,
}
"""Shares end at 1; nothing is killed at rest for want of memory."""
NOT_FITTED = "normal"
_FACTORS = 1 << 32
"""Takes the place of a step in the keys of factors, so that no window draws the same."""


def guessed(shapes: Parameters, window_s: float) -> Parameters:
    """Traffic as it is meant to be, services all alike, and what else there is adds nothing.

    shapes: any parameters, of which the values are not read.
    """
    shares = np.array(list(JOURNEY_SHARES.values()))
    nothing = {name: np.zeros_like(value) for name, value in shapes._asdict().items()}
    guesses = {
        "arrivals": ARRIVALS_PER_S * window_s * shares,
        "deferred": min(1.0, CALL_TIMEOUT_S / window_s),
        "latency_ms": nothing["latency_ms"] + GUESSED_P99_MS,
        "memory_pct": nothing["memory_pct"] + GUESSED_MEMORY_PCT,
        "cpu_idle_pct": nothing["cpu_idle_pct"] + NOMINAL_CPU_PCT,
        "cpu_started_pct": NOMINAL_CPU_PCT,
        "normal": parameters.normal_table(),
    }
    return Parameters(**nothing | guesses)


def bent(fitted: Parameters, draw: int, seed: int) -> Parameters:
    """The `draw`-th of the worlds that a seed may be played in; equal keys give equal worlds."""
    values = fitted._asdict()
    for number, name in enumerate(Parameters._fields):
        if name == NOT_FITTED:
            continue
        value = np.asarray(values[name], np.float64)
        # A row is a service or a journey, with a factor of its own; what is longer is one curve.
        rows = len(value) if value.ndim and len(value) <= SERVICE_COUNT else 1
        z = [
            normal(seed, Stream.SIMULATOR, _FACTORS + draw, number * SERVICE_COUNT + row)
            for row in range(rows)
        ]
        factors = np.array([log_normal(1.0, SIGMA, each) for each in z])
        by_row = factors.reshape(-1, *[1] * (value.ndim - 1)) if rows > 1 else factors[0]
        values[name] = np.minimum(value * by_row, MOST.get(name, np.inf))
    return Parameters(**values)


class BentSimulator(SimulatorBackend):
    """The simulator, with parameters by seed."""

    def __init__(self, parameters_of: Callable[[int], Parameters]) -> None:
        super().__init__()
        self._parameters_of = parameters_of

    async def launch(self, seed: int) -> None:
        self._mesh.parameters = self._parameters_of(seed)
        await super().launch(seed)


def unfitted(backend: str) -> Environment:
    """Guesses for a real backend, of which only the length of a window is known."""
    guess = guessed(parameters.load(backend), STEP_SECONDS[backend])
    return Environment(lambda: BentSimulator(lambda _seed: guess))


def randomised(backend: str, draw: int) -> Environment:
    """Raises UnknownName where nothing is fitted to the backend."""
    worlds = partial(bent, parameters.load(backend), draw)
    return Environment(lambda: BentSimulator(worlds))
