"""Array code against the objects it repeats: lanes play what an environment plays, value by value.

The environment goes through `chaos.faults`, `orchestrator.actions`, `noise`, `observation`,
`reward` and `grader`; the lane through none of them.
"""

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.models import SREObservation
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.batch import EpisodeQueue
from sre_autopilot.simulator.numpy_engine import NumpyEngine
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.window_arrays import METRIC_COUNT, SERVICE_COUNT
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, MAX_STEPS, Tier
from tests.sre_autopilot.simulator.scripts import ACTIONS, NAMES, script

SEEDS = range(300_000, 300_006)


@pytest.fixture(scope="module")
def environment():
    with Environment(SimulatorBackend) as environment:
        yield environment


def play_lanes(tier, seeds):
    """x of every lane after every step, (steps, lanes, FIELD_COUNT)."""
    engine, queue = NumpyEngine(parameters.load("process"), len(seeds)), EpisodeQueue(tier, seeds)
    engine.begin(queue)
    states = [engine.x.copy()]
    scripts = np.array([script(seed) for seed in seeds])
    for step in range(MAX_STEPS):
        engine.step(scripts[:, step], queue)
        states.append(engine.x.copy())
    return np.array(states)


def values(observation: SREObservation):
    fields = ("latency_p99", "error_rate", "cpu_pct", "memory_pct")
    observed = [[getattr(observation.metrics[s], field) for s in Service] for field in fields]
    return np.array(observed, np.float64).ravel()


def assert_same(x, observation: SREObservation) -> None:
    np.testing.assert_array_equal(
        x[layout.OBSERVED : layout.OBSERVED + METRIC_COUNT], values(observation)
    )
    verdicts = x[layout.VERDICT : layout.VERDICT + SERVICE_COUNT] > 0
    assert list(verdicts) == list(observation.sla_status.values())
    assert x[layout.HINT] == pytest.approx(observation.reward_hint, abs=1e-9)
    assert x[layout.COST] == observation.cost_spent
    assert MAX_RESTARTS - x[layout.RESTARTS] == observation.remaining_restarts
    assert bool(x[layout.REFUSED]) == (observation.last_action_error is not None)
    assert bool(x[layout.DONE]) == observation.done
    if observation.done:
        assert x[layout.SCORE] == pytest.approx(observation.reward, abs=1e-9)


@pytest.mark.parametrize("tier", Tier)
def test_a_lane_observes_what_an_environment_observes(environment, tier):
    states = play_lanes(tier, SEEDS)
    for number, seed in enumerate(SEEDS):
        observation = environment.reset(seed=seed, task_tier=tier)
        assert_same(states[0, number], observation)
        for step, (action, service) in enumerate(script(seed), start=1):
            action_of_step = {"action": ACTIONS[action], "service_id": NAMES[service]}
            observation = environment.step(action_of_step)
            assert_same(states[step, number], observation)
            if observation.done:
                break


def test_a_lane_does_not_depend_on_its_neighbours():
    together, alone = play_lanes(Tier.EXPERT, SEEDS), play_lanes(Tier.EXPERT, SEEDS[2:3])
    first_over = int(np.argmax(alone[:, 0, layout.DONE] > 0)) or MAX_STEPS
    np.testing.assert_array_equal(together[: first_over + 1, 2], alone[: first_over + 1, 0])
