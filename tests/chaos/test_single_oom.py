"""`single_oom`, row by row: what leaks, what cures it, what does not."""

from collections import Counter
from collections.abc import Callable
from itertools import product

import pytest
from scipy import stats

from chaos.fault import Impairments
from chaos.faults.single_oom import SingleOom
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.shapes import OOM_LEAK_MB_PER_STEP, OOM_RESTART_CURES
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import ActionName

Ask = Callable[..., int | None]

ROOT = Service.AUTH_SERVICE
FAULT = SingleOom(ROOT, 30.0)
LEAKING = Impairments(memory_leak_mb=30.0)
FIRST, SECOND = ReplicaId(ROOT, 0), ReplicaId(ROOT, 1)
START = initial_deployment()
SEEDS = range(2_000)


@pytest.mark.parametrize("step", [0, 1, 17, 30])
def test_the_root_leaks_at_every_step_and_others_do_not(step: int) -> None:
    assert FAULT.impairments(step, START) == {FIRST: LEAKING}


def test_a_restart_that_failed_goes_on_leaking() -> None:
    assert FAULT.impairments(5, START.restarted(ROOT, 5)) == {FIRST: LEAKING}


def test_a_killed_process_comes_back_into_the_same_leak() -> None:
    assert FAULT.impairments(5, START.revived(FIRST, 5)) == {FIRST: LEAKING}


def test_scaling_up_makes_two_leak() -> None:
    scaled = START.scaled_up(ROOT, 3)
    assert FAULT.impairments(6, scaled) == {FIRST: LEAKING, SECOND: LEAKING}


def test_the_last_good_release_does_not_leak() -> None:
    assert FAULT.impairments(5, START.rolled_back(ROOT, 5)) == {}


@pytest.mark.parametrize("service", Service)
def test_rollback_cures_the_root_alone(service: Service, cured_from: Ask) -> None:
    assert cured_from(FAULT, ActionName.ROLLBACK, service) == (4 if service is ROOT else None)


@pytest.mark.parametrize("action", [ActionName.SCALE_UP, ActionName.CIRCUIT_BREAK, ActionName.WAIT])
def test_other_actions_do_not_cure(action: ActionName, cured_from: Ask) -> None:
    for service, seed in product(Service, range(50)):
        assert cured_from(FAULT, action, service, seed=seed) is None


@pytest.mark.parametrize("service", [s for s in Service if s is not ROOT])
def test_restarting_another_service_never_cures(service: Service, cured_from: Ask) -> None:
    tries = (cured_from(FAULT, ActionName.RESTART, service, seed=seed) for seed in range(50))
    assert not any(tries)


@pytest.mark.parametrize("root", Service)
def test_a_restart_cures_four_times_in_five(root: Service, cured_from: Ask) -> None:
    fault = SingleOom(root, 30.0)
    tries = [cured_from(fault, ActionName.RESTART, root, step=9, seed=seed) for seed in SEEDS]
    assert set(tries) == {9, None}
    assert stats.binomtest(tries.count(9), len(SEEDS), OOM_RESTART_CURES).pvalue > 1e-3


def test_a_second_try_has_luck_of_its_own(cured_from: Ask) -> None:
    def cures(step: int, seed: int) -> bool:
        return cured_from(FAULT, ActionName.RESTART, ROOT, step=step, seed=seed) is not None

    unlucky = [seed for seed in SEEDS if not cures(4, seed)]
    again = sum(cures(5, seed) for seed in unlucky)
    assert stats.binomtest(again, len(unlucky), OOM_RESTART_CURES).pvalue > 1e-3


def test_luck_depends_on_seed_and_step_alone(cured_from: Ask) -> None:
    later = START.scaled_up(ROOT, 1).restarted(ROOT, 2)
    for seed in range(100):
        ask = (SingleOom(ROOT, 26.0), ActionName.RESTART, ROOT)
        assert cured_from(*ask, seed=seed) == cured_from(*ask, seed=seed, deployment=later)


def test_draws_are_golden() -> None:
    assert SingleOom.draw(0) == SingleOom(Service.INVENTORY_DB, 35.595864543180404)
    assert SingleOom.draw(200_000) == SingleOom(Service.ORDER_SERVICE, 34.56242521233875)


def test_every_service_is_the_root_equally_often() -> None:
    counts = Counter(SingleOom.draw(seed).root for seed in SEEDS)
    assert set(counts) == set(Service)
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_leaks_are_spread_over_their_range() -> None:
    low, high = OOM_LEAK_MB_PER_STEP
    drawn = [SingleOom.draw(seed).memory_leak_mb_per_step for seed in SEEDS]
    assert stats.kstest(drawn, "uniform", (low, high - low)).pvalue > 1e-3


@pytest.mark.parametrize("leak_mb", [0.0, -1.0, LIMITS[ROOT].memory_limit_mb, float("nan")])
def test_a_leak_that_cannot_be_is_refused(leak_mb: float) -> None:
    with pytest.raises(ValueError, match="memory_leak_mb_per_step"):
        SingleOom(ROOT, leak_mb)


def test_parameters_for_the_record() -> None:
    assert FAULT.cheap_cure is ActionName.RESTART
    assert FAULT.parameters() == {"memory_leak_mb_per_step": 30.0}
