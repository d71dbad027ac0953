"""`flapping_network`, cause by cause: when it shows, what cures it, and the traps that do not."""

from collections import Counter
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from chaos.fault import Impairments
from chaos.faults.flap import Flap
from chaos.faults.flapping_network import FlappingNetwork
from sre_autopilot.world import shapes
from sre_autopilot.world.deployment import Deployment, ReplicaId, initial_deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import (
    BREAKER_STEPS,
    MAX_STEPS,
    SCALE_UP_STEPS,
    ActionName,
    FlapCause,
)

Ask = Callable[..., int | None]

ROOT = Service.PAYMENT_GATEWAY
FIRST, SECOND = ReplicaId(ROOT, 0), ReplicaId(ROOT, 1)
START = initial_deployment()
FLAP = Flap(loss_share=0.5, period_steps=5, burst_steps=2, phase_steps=3)
DOWN, UP = 2, 4
"""Steps in and between bursts: with phase 3 of 5, the bursts begin at 2, 7, 12, ..."""
STALE = FlappingNetwork(FlapCause.STALE_CONNECTION, FLAP)
ROLLOUT = FlappingNetwork(FlapCause.BAD_ROLLOUT, FLAP)
NEIGHBOUR = FlappingNetwork(FlapCause.NOISY_NEIGHBOUR, FLAP, cpu_factor=2.0)
FAULTS = (STALE, ROLLOUT, NEIGHBOUR)
SEEDS = range(2_000)
FIRST_BURST_BY = 8


def _down(fault: FlappingNetwork, deployment: Deployment, replica: ReplicaId) -> list[int]:
    return [step for step in range(15) if replica in fault.impairments(step, deployment)]


@pytest.mark.parametrize("fault", FAULTS)
def test_bursts_recur_and_never_end(fault: FlappingNetwork) -> None:
    assert _down(fault, START, FIRST) == [2, 3, 7, 8, 12, 13]
    assert any(fault.impairments(step, START) for step in range(MAX_STEPS - 5, MAX_STEPS + 1))


def test_each_cause_has_its_impairment() -> None:
    assert STALE.impairments(DOWN, START) == {FIRST: Impairments(partitioned=0.5)}
    assert ROLLOUT.impairments(DOWN, START) == {FIRST: Impairments(drop_ratio=0.5)}
    starved = Impairments(
        cpu_fraction=shapes.cpu_fraction_for(0.5), neighbour_cpu_pct=shapes.NOMINAL_CPU_PCT
    )
    assert NEIGHBOUR.impairments(DOWN, START) == {FIRST: starved}


@pytest.mark.parametrize("cpu_factor", [0.9, 1.0])
def test_a_quiet_neighbour_burns_nothing(cpu_factor: float) -> None:
    quiet = FlappingNetwork(FlapCause.NOISY_NEIGHBOUR, FLAP, cpu_factor)
    assert quiet.impairments(DOWN, START)[FIRST].neighbour_cpu_pct == 0.0


def test_a_loss_beyond_reach_leaves_a_little_cpu() -> None:
    starved = FlappingNetwork(FlapCause.NOISY_NEIGHBOUR, Flap(0.6, 5, 2, 0))
    assert starved.impairments(0, START)[FIRST].cpu_fraction == shapes.CPU_FRACTION_MIN


@pytest.mark.parametrize("fault", [STALE, NEIGHBOUR])
def test_causes_of_one_place_hit_the_replica_that_was_there_first(
    fault: FlappingNetwork,
) -> None:
    scaled = START.scaled_up(ROOT, 1)
    assert _down(fault, scaled, FIRST) == [2, 3, 7, 8, 12, 13]
    assert _down(fault, scaled, SECOND) == []


def test_a_bad_release_drops_at_every_replica_in_its_own_rhythm() -> None:
    scaled = START.scaled_up(ROOT, 1)
    assert _down(ROLLOUT, scaled, FIRST) == [2, 3, 7, 8, 12, 13]
    assert _down(ROLLOUT, scaled, SECOND) == [3, 4, 8, 9, 13, 14]
    assert ROLLOUT.impairments(DOWN, START.rolled_back(ROOT, 2)) == {}


def test_a_restart_begins_a_bad_release_anew() -> None:
    """Trap: restarted in a burst, it is well until the rhythm comes round again."""
    restarted = START.restarted(ROOT, 3)
    assert [step for step in _down(ROLLOUT, restarted, FIRST) if step >= 3] == [5, 6, 10, 11]


@pytest.mark.parametrize("fault", [STALE, NEIGHBOUR])
def test_a_restart_leaves_other_rhythms_alone(fault: FlappingNetwork) -> None:
    assert _down(fault, START.restarted(ROOT, 3), FIRST) == _down(fault, START, FIRST)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", [DOWN, UP])
def test_rollback_cures_all(fault: FlappingNetwork, step: int, cured_from: Ask) -> None:
    assert cured_from(fault, ActionName.ROLLBACK, ROOT, step=step) == step


def test_restart_in_a_burst_cures_a_stale_connection(cured_from: Ask) -> None:
    cured = [cured_from(STALE, ActionName.RESTART, ROOT, step=step) for step in range(1, 10)]
    assert cured == [None, 2, 3, None, None, None, 7, 8, None]


def test_restart_behind_an_open_breaker_cures_a_stale_connection(cured_from: Ask) -> None:
    """Drain, then restart: at any phase, as long as the breaker is open."""
    drained = START.broken(ROOT, UP)
    steps = range(UP + 1, UP + BREAKER_STEPS + 1)
    cured = [
        cured_from(STALE, ActionName.RESTART, ROOT, step=step, deployment=drained) for step in steps
    ]
    assert not any(STALE.flap.down(step) for step in steps[:-1])
    assert cured[:-1] == list(steps[:-1])
    elsewhere = START.broken(Service.ORDER_SERVICE, UP)
    assert cured_from(STALE, ActionName.RESTART, ROOT, step=UP + 1, deployment=elsewhere) is None


def test_a_breaker_that_has_closed_again_drains_nothing(cured_from: Ask) -> None:
    flap = Flap(loss_share=0.5, period_steps=9, burst_steps=1, phase_steps=0)
    stale = FlappingNetwork(FlapCause.STALE_CONNECTION, flap)
    drained = START.broken(ROOT, 1)
    cured = [
        cured_from(stale, ActionName.RESTART, ROOT, step=step, deployment=drained)
        for step in (2, 3, 4, 5)
    ]
    assert cured == [2, 3, None, None]


@pytest.mark.parametrize("fault", [ROLLOUT, NEIGHBOUR])
@pytest.mark.parametrize("step", [DOWN, UP])
@pytest.mark.parametrize("deployment", [START, START.broken(ROOT, DOWN)], ids=["open", "drained"])
def test_no_restart_cures_the_others(
    fault: FlappingNetwork, step: int, deployment: Deployment, cured_from: Ask
) -> None:
    ask = (fault, ActionName.RESTART, ROOT)
    assert cured_from(*ask, step=step, deployment=deployment) is None


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", [DOWN, UP])
def test_scale_up_cures_a_noisy_neighbour_once_the_second_serves(
    fault: FlappingNetwork, step: int, cured_from: Ask
) -> None:
    expected = step + SCALE_UP_STEPS if fault is NEIGHBOUR else None
    assert cured_from(fault, ActionName.SCALE_UP, ROOT, step=step) == expected


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", [DOWN, UP])
def test_other_actions_do_not_cure(fault: FlappingNetwork, step: int, cured_from: Ask) -> None:
    elsewhere = product(ActionName, [s for s in Service if s is not ROOT])
    idle = product((ActionName.CIRCUIT_BREAK, ActionName.WAIT), [ROOT])
    asked = [*elsewhere, *idle]
    assert [ask for ask in asked if cured_from(fault, *ask, step=step) is not None] == []


@pytest.mark.parametrize(
    ("cause", "cheap_cure"),
    [
        (FlapCause.STALE_CONNECTION, ActionName.RESTART),
        (FlapCause.BAD_ROLLOUT, ActionName.ROLLBACK),
        (FlapCause.NOISY_NEIGHBOUR, ActionName.SCALE_UP),
    ],
)
def test_the_cheap_cure_goes_by_cause(cause: FlapCause, cheap_cure: ActionName) -> None:
    assert FlappingNetwork(cause, FLAP).cheap_cure is cheap_cure


def test_parameters_for_the_record() -> None:
    assert NEIGHBOUR.root is ROOT
    assert NEIGHBOUR.parameters() == {
        "cause": FlapCause.NOISY_NEIGHBOUR,
        "loss_share": 0.5,
        "period_steps": 5,
        "burst_steps": 2,
        "phase_steps": 3,
        "cpu_factor": 2.0,
    }


@given(st.integers(0, 100), st.integers(0, 100))
def test_a_rhythm_repeats_and_begins_at_its_phase(step: int, since: int) -> None:
    assert FLAP.down(step) == FLAP.down(step + FLAP.period_steps)
    assert FLAP.down(step + since, since=since) == FLAP.down(step)


@pytest.mark.parametrize(
    ("flap", "about"),
    [
        ((0.0, 5, 2, 0), "loss_share"),
        ((1.1, 5, 2, 0), "loss_share"),
        ((0.5, 5, 0, 0), "burst_steps"),
        ((0.5, 5, 5, 0), "burst_steps"),
        ((0.5, 5, 2, 5), "phase_steps"),
        ((0.5, 5, 2, -1), "phase_steps"),
    ],
)
def test_a_rhythm_that_cannot_be_is_refused(flap: tuple[float, int, int, int], about: str) -> None:
    with pytest.raises(ValueError, match=about):
        Flap(*flap)


def test_draws_are_golden() -> None:
    assert FlappingNetwork.draw(42) == FlappingNetwork(
        FlapCause.NOISY_NEIGHBOUR, Flap(0.19814240151552984, 6, 3, 4), 2.0761898376298955
    )
    assert FlappingNetwork.draw(0) == FlappingNetwork(
        FlapCause.NOISY_NEIGHBOUR, Flap(0.12446165646661297, 8, 4, 2), 2.915131554067885
    )


@pytest.fixture(scope="module")
def drawn() -> list[FlappingNetwork]:
    return [FlappingNetwork.draw(seed) for seed in SEEDS]


def test_causes_are_equally_likely(drawn: list[FlappingNetwork]) -> None:
    counts = Counter(fault.cause for fault in drawn)
    assert stats.chisquare([counts[cause] for cause in FlapCause]).pvalue > 1e-3


@pytest.mark.parametrize("cause", FlapCause)
def test_fingerprints_fill_their_ranges(cause: FlapCause, drawn: list[FlappingNetwork]) -> None:
    shape = shapes.FLAP_SHAPES[cause]
    flaps = [fault.flap for fault in drawn if fault.cause is cause]
    low, high = shape.loss_share
    loss = [flap.loss_share for flap in flaps]
    assert stats.kstest(loss, "uniform", (low, high - low)).pvalue > 1e-3
    for (least, most), values in (
        (shape.period_steps, Counter(flap.period_steps for flap in flaps)),
        (shape.burst_steps, Counter(flap.burst_steps for flap in flaps)),
    ):
        assert sorted(values) == list(range(least, most + 1))
        assert stats.chisquare(list(values.values())).pvalue > 1e-3


def test_only_a_neighbour_has_a_cpu_of_its_own(drawn: list[FlappingNetwork]) -> None:
    low, high = shapes.FLAP_SHAPES[FlapCause.NOISY_NEIGHBOUR].cpu_factor
    for fault in drawn:
        noisy = fault.cause is FlapCause.NOISY_NEIGHBOUR
        assert low <= fault.cpu_factor < high if noisy else fault.cpu_factor == 1.0


def test_some_fingerprint_fits_every_cause(drawn: list[FlappingNetwork]) -> None:
    """Overlap is more than nominal: the same loss, period and burst occur under all three."""
    fits = Counter(
        fault.cause
        for fault in drawn
        if 0.5 <= fault.flap.loss_share <= 0.65
        and fault.flap.period_steps in {5, 6}
        and fault.flap.burst_steps == 2
    )
    assert all(fits[cause] >= 5 for cause in FlapCause)


def test_episodes_start_in_and_out_of_bursts_and_show_one_soon(
    drawn: list[FlappingNetwork],
) -> None:
    first = [next(s for s in range(100) if fault.impairments(s, START)) for fault in drawn]
    assert 0 in first
    assert max(first) <= FIRST_BURST_BY
    assert sum(step > 0 for step in first) > len(first) / 3
