"""Steps a second of the simulator, beside Gymnasium's own vector environment of CartPole."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium
import numpy as np

from benchmarks.episodes import Part
from benchmarks.figures import Figure
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from sre_autopilot.models import SREAction
from sre_autopilot.policies import DEFAULT_POLICY, brief, load_policy
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.batch import EpisodeQueue
from sre_autopilot.simulator.engines import NUMBA, NUMPY, make_engine
from sre_autopilot.simulator.gym import ID
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier

CART_POLE = "CartPole-v1"
MANY = 1024
WARM_UP_S, MEASURE_S = 0.2, 1.0
MILLION, THOUSAND = 1e6, 1e3
NUMPY_BOUND = ">= 0.2"
"""M steps/s. What it can reach is a tenth of the Numba engine: docs/decisions/024 says why."""


def simulator_parts(runs: int) -> list[Part]:
    return [
        Part("the Numba engine", lambda: compiled_figures(runs)),
        Part("the NumPy engine", lambda: numpy_figures(runs)),
        Part("the environment in the simulator", lambda: environment_figures(runs)),
        Part("decisions of the learned policy", lambda: decision_figures(runs)),
    ]


def compiled_figures(runs: int) -> list[Figure]:
    """Rates of the Numba engine, and how long its first use takes, which may compile."""
    began = time.perf_counter()
    vector(MANY, NUMBA).reset(seed=0)
    ready_s = time.perf_counter() - began
    many = [rate(vector(MANY, NUMBA)) for _ in range(runs)]
    cart_pole = [rate(gymnasium.make_vec(CART_POLE, MANY, "vector_entry_point"))] * runs
    row = vector(1, NUMBA).single_observation_space.shape[0]
    floats = [row * own / (4 * other) for own, other in zip(many, cart_pole, strict=True)]
    both = [together(2) for _ in range(runs)]
    one = [rate(vector(1, NUMBA)) / THOUSAND for _ in range(runs)]
    alone = [lanes_rate(1) / THOUSAND for _ in range(runs)]
    return [
        Figure("compiled, or found on disk, after", "s", "", [ready_s]),
        Figure(f"compiled, {MANY} lanes", "M steps/s", ">= 3", in_millions(many)),
        Figure(f"Gymnasium's native {CART_POLE}", "M steps/s", "", in_millions(cart_pole)),
        Figure("observation floats against its", "times", ">= 1.5", floats),
        Figure("two threads against one", "times", "near 2", ratio(both, many)),
        Figure("compiled, 1 lane", "k steps/s", "", one),
        Figure("the engine alone, 1 lane", "k steps/s", ">= 100", alone),
    ]


def numpy_figures(runs: int) -> list[Figure]:
    many = [rate(vector(MANY, NUMPY)) / MILLION for _ in range(runs)]
    return [Figure(f"NumPy, {MANY} lanes", "M steps/s", NUMPY_BOUND, many)]


def environment_figures(runs: int) -> list[Figure]:
    """Milliseconds a step of the environment that the server plays: noise, record, grader."""
    steps_ms = []
    with Environment(SimulatorBackend) as environment:
        for run in range(runs):
            environment.reset(seed=run, task_tier=Tier.CONTROL)
            for _ in range(MAX_STEPS):
                began = time.perf_counter()
                environment.step(SREAction(action=ActionName.WAIT))
                steps_ms.append(1000.0 * (time.perf_counter() - began))
    return [Figure("a step of the environment", "ms", "< 50", steps_ms)]


def decision_figures(runs: int) -> list[Figure]:
    """Milliseconds in which the learned policy reads an observation and takes an action."""
    decisions_ms = []
    policy = load_policy(DEFAULT_POLICY)
    with Environment(SimulatorBackend) as environment:
        for run in range(runs):
            observation = environment.reset(seed=run, task_tier=Tier.HARD)
            brief(policy, run)
            while not observation.done:
                began = time.perf_counter()
                action = policy.act(observation)
                decisions_ms.append(1000.0 * (time.perf_counter() - began))
                observation = environment.step(action)
    return [Figure(f"a decision of {policy.name}", "ms", "<= 1", decisions_ms)]


def vector(lanes: int, engine: str | None) -> Any:
    return gymnasium.make_vec(ID, lanes, "vector_entry_point", tier=Tier.HARD, engine=engine)


def rate(env: Any) -> float:
    """Environment steps a second, with one set of actions again and again."""
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = env.action_space.sample()
    return float(env.num_envs) * _per_second(lambda: env.step(actions))


def lanes_rate(lanes: int) -> float:
    """Steps a second of the engine itself, without Gymnasium's spaces around it."""
    engine = make_engine(NUMBA, ProcessBackend.name, lanes)
    queue = EpisodeQueue(Tier.HARD, range(lanes))
    engine.begin(queue)
    actions = np.full((lanes, 2), (layout.WAIT, 0))
    return lanes * _per_second(lambda: engine.step(actions, queue))


def together(threads: int) -> float:
    """Steps a second of so many vectors, each in a thread of its own."""
    with ThreadPoolExecutor(threads) as pool:
        return float(sum(pool.map(lambda _: rate(vector(MANY, NUMBA)), range(threads))))


def ratio(these: list[float], those: list[float]) -> list[float]:
    return [this / that for this, that in zip(these, those, strict=True)]


def in_millions(rates: list[float]) -> list[float]:
    return [rate_ / MILLION for rate_ in rates]


def _per_second(call: Callable[[], Any]) -> float:
    """Calls a second, once it is warm."""
    _repeat(call, WARM_UP_S)
    return _repeat(call, MEASURE_S)


def _repeat(call: Callable[[], Any], least_s: float) -> float:
    """Calls a second."""
    began, calls = time.perf_counter(), 0
    while (took_s := time.perf_counter() - began) < least_s:
        call()
        calls += 1
    return calls / took_s
