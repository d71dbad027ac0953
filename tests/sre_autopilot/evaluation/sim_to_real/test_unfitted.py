"""Simulators that are not fitted: guesses that run, and parameters times keyed factors."""

import numpy as np
import pytest

from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.sim_to_real import unfitted
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.rules.window_arrays import Parameters
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.topology import ARRIVALS_PER_S
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier

FITTED = parameters.load("process")
WINDOW_S = 0.5
SEEDS = range(200_000, 200_040)


def ratios(name):
    """The factors of one parameter, by seed."""
    scaled = [getattr(unfitted.scaled(FITTED, 0, seed), name) for seed in SEEDS]
    return np.array(scaled) / getattr(FITTED, name)


def scores(new_environment, seeds=(3, 4)):
    with new_environment() as environment:
        return [
            play(environment, load_policy("oracle"), Tier.MEDIUM, seed)[1].total for seed in seeds
        ]


def test_guess_has_the_shapes_of_fitted_parameters():
    guess = unfitted.guessed(FITTED, WINDOW_S)
    for name, value in FITTED._asdict().items():
        assert np.shape(getattr(guess, name)) == np.shape(value), name


def test_guess_has_the_traffic_and_equal_services():
    guess = unfitted.guessed(FITTED, WINDOW_S)
    assert sum(guess.arrivals) == pytest.approx(ARRIVALS_PER_S * WINDOW_S)
    for table in (guess.latency_ms, guess.memory_pct, guess.cpu_idle_pct):
        assert len(np.unique(table)) == 1
    assert guess.latency_ms.max() < P99_LIMIT_MS
    assert guess.contention_ms == guess.last_connection_ms == 0.0


def test_guess_reads_no_fitted_value():
    doubled = FITTED._replace(**{name: 2.0 * value for name, value in FITTED._asdict().items()})
    for one, other in zip(
        unfitted.guessed(FITTED, WINDOW_S), unfitted.guessed(doubled, WINDOW_S), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("window_s", unfitted.STEP_SECONDS.values())
def test_guessed_mesh_without_a_fault_meets_its_sla(window_s):
    guess = unfitted.guessed(FITTED, window_s)
    with Environment(lambda: unfitted.SimulatorBySeed(lambda _seed: guess)) as environment:
        record, _score = play(environment, load_policy("wait"), Tier.CONTROL, 1)
    assert len(record.steps) == MAX_STEPS + 1
    assert all(step.sla_met for step in record.steps)


def test_equal_draws_and_seeds_give_equal_parameters_and_others_do_not():
    one, same = unfitted.scaled(FITTED, 1, 7), unfitted.scaled(FITTED, 1, 7)
    other, later = unfitted.scaled(FITTED, 1, 8), unfitted.scaled(FITTED, 2, 7)
    np.testing.assert_array_equal(one.latency_ms, same.latency_ms)
    assert one.contention_ms not in {other.contention_ms, later.contention_ms}


def test_each_parameter_has_a_log_normal_factor_of_its_own():
    factors = np.log(ratios("contention_ms"))
    assert factors.std() == pytest.approx(unfitted.SIGMA, rel=0.4)
    assert abs(factors.mean()) < unfitted.SIGMA / 2
    rows = ratios("latency_ms")
    np.testing.assert_allclose(rows, np.broadcast_to(rows[:, :, :1], rows.shape))
    assert len(np.unique(np.round(rows[0, :, 0], 9))) == rows.shape[1]
    assert not np.allclose(ratios("contention_ms"), ratios("last_connection_ms"))


@pytest.mark.parametrize("name", sorted({*unfitted.MOST} & {*Parameters._fields}))
def test_scaled_shares_stay_shares(name):
    scaled = np.array([getattr(unfitted.scaled(FITTED, 0, seed), name) for seed in SEEDS])
    assert scaled.min() >= 0.0 and scaled.max() <= unfitted.MOST[name]


def test_quantiles_of_the_normal_are_not_scaled():
    np.testing.assert_array_equal(unfitted.scaled(FITTED, 0, 3).normal, FITTED.normal)


def test_scores_of_a_randomised_world_depend_on_seed_and_draw_alone():
    once = scores(lambda: unfitted.randomised_world("process", 0))
    assert once == scores(lambda: unfitted.randomised_world("process", 0))
    assert once[::-1] == scores(lambda: unfitted.randomised_world("process", 0), seeds=(4, 3))
    assert once != scores(lambda: unfitted.randomised_world("process", 1))


def test_fitted_parameters_by_seed_are_the_simulator():
    def fitted():
        return Environment(lambda: unfitted.SimulatorBySeed(lambda _seed: FITTED))

    assert scores(fitted) == scores(lambda: Environment(SimulatorBackend))


def test_backend_without_fitted_parameters_is_named():
    assert unfitted.STEP_SECONDS.keys() == {ProcessBackend.name, DockerBackend.name}
    with pytest.raises(UnknownName, match="moon"):
        unfitted.randomised_world("moon", 0)
