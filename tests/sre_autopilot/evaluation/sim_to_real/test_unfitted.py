"""Simulators that are not fitted: guesses that run, and worlds bent by keyed factors."""

import numpy as np
import pytest

from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.sim_to_real import unfitted as ablation
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
    """What bending makes of a scale, by seed."""
    bent = [getattr(ablation.bent(FITTED, 0, seed), name) for seed in SEEDS]
    return np.array(bent) / getattr(FITTED, name)


def scores(new_environment, seeds=(3, 4)):
    with new_environment() as environment:
        return [
            play(environment, load_policy("oracle"), Tier.MEDIUM, seed)[1].total for seed in seeds
        ]


def test_a_guess_has_the_shapes_of_what_is_fitted():
    guess = ablation.guessed(FITTED, WINDOW_S)
    for name, value in FITTED._asdict().items():
        assert np.shape(getattr(guess, name)) == np.shape(value), name


def test_a_guess_knows_traffic_and_no_service_from_another():
    guess = ablation.guessed(FITTED, WINDOW_S)
    assert sum(guess.arrivals) == pytest.approx(ARRIVALS_PER_S * WINDOW_S)
    for table in (guess.latency_ms, guess.memory_pct, guess.cpu_idle_pct):
        assert len(np.unique(table)) == 1
    assert guess.latency_ms.max() < P99_LIMIT_MS
    assert guess.contention_ms == guess.last_connection_ms == 0.0


def test_a_guess_reads_no_value_of_what_is_fitted():
    doubled = FITTED._replace(**{name: 2.0 * value for name, value in FITTED._asdict().items()})
    for one, other in zip(
        ablation.guessed(FITTED, WINDOW_S), ablation.guessed(doubled, WINDOW_S), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("window_s", ablation.STEP_SECONDS.values())
def test_a_guessed_mesh_is_well_where_nothing_is_wrong(window_s):
    guess = ablation.guessed(FITTED, window_s)
    with Environment(lambda: ablation.BentSimulator(lambda _seed: guess)) as environment:
        record, _score = play(environment, load_policy("wait"), Tier.CONTROL, 1)
    assert len(record.steps) == MAX_STEPS + 1
    assert all(step.sla_met for step in record.steps)


def test_equal_keys_give_equal_worlds_and_others_do_not():
    one, same = ablation.bent(FITTED, 1, 7), ablation.bent(FITTED, 1, 7)
    other, later = ablation.bent(FITTED, 1, 8), ablation.bent(FITTED, 2, 7)
    np.testing.assert_array_equal(one.latency_ms, same.latency_ms)
    assert one.contention_ms not in {other.contention_ms, later.contention_ms}


def test_each_scale_has_a_log_normal_factor_of_its_own():
    factors = np.log(ratios("contention_ms"))
    assert factors.std() == pytest.approx(ablation.SIGMA, rel=0.4)
    assert abs(factors.mean()) < ablation.SIGMA / 2
    rows = ratios("latency_ms")
    np.testing.assert_allclose(rows, np.broadcast_to(rows[:, :, :1], rows.shape))
    assert len(np.unique(np.round(rows[0, :, 0], 9))) == rows.shape[1]
    assert not np.allclose(ratios("contention_ms"), ratios("last_connection_ms"))


@pytest.mark.parametrize("name", sorted({*ablation.MOST} & {*Parameters._fields}))
def test_shares_stay_shares_and_nobody_starts_out_of_memory(name):
    bent = np.array([getattr(ablation.bent(FITTED, 0, seed), name) for seed in SEEDS])
    assert bent.min() >= 0.0 and bent.max() <= ablation.MOST[name]


def test_the_quantiles_of_the_normal_are_nobodys_scale():
    np.testing.assert_array_equal(ablation.bent(FITTED, 0, 3).normal, FITTED.normal)


def test_a_bent_world_is_played_in_by_seed():
    once = scores(lambda: ablation.randomised("process", 0))
    assert once == scores(lambda: ablation.randomised("process", 0))
    assert once[::-1] == scores(lambda: ablation.randomised("process", 0), seeds=(4, 3))
    assert once != scores(lambda: ablation.randomised("process", 1))


def test_unbent_parameters_are_the_simulator():
    def unbent():
        return Environment(lambda: ablation.BentSimulator(lambda _seed: FITTED))

    assert scores(unbent) == scores(lambda: Environment(SimulatorBackend))


def test_what_was_never_fitted_is_named():
    assert ablation.STEP_SECONDS.keys() == {ProcessBackend.name, DockerBackend.name}
    with pytest.raises(UnknownName, match="moon"):
        ablation.randomised("moon", 0)
