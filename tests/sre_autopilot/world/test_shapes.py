"""Shapes of faults: forms with known values, ranges that the world asks for."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_autopilot.world import shapes
from sre_autopilot.world.topology import CALL_TIMEOUT_S, LIMITS, POOL_SIZE, Service
from sre_autopilot.world.vocabulary import FlapCause

HEALTHY_MEMORY_MB = (25.0, 45.0)
SHARE = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("filled", "held"), [(0.0, 0), (0.000999, 0), (0.001, 1), (0.125, 5), (0.73, 9), (1.0, 10)]
)
def test_held_connections_are_a_cube_root(filled: float, held: int) -> None:
    assert shapes.held_connections(filled) == held


@given(st.floats(-10.0, 100.0), st.floats(0.0, 10.0))
def test_held_connections_only_grow_and_end_with_the_pool(filled: float, more: float) -> None:
    before, after = shapes.held_connections(filled), shapes.held_connections(filled + more)
    assert 0 <= before <= after <= POOL_SIZE
    assert (after == POOL_SIZE) == (filled + more >= 1.0)


def _lost(cpu_fraction: float) -> float:
    """Share of calls, arriving evenly over a cycle, that wait out a stall for too long."""
    stall_s = (1.0 - cpu_fraction) * shapes.STALL_CYCLE_S
    waits_s = [stall_s - i / 10_000 * shapes.STALL_CYCLE_S for i in range(10_000)]
    return sum(wait > shapes.STALL_FORGIVEN_S for wait in waits_s) / len(waits_s)


@given(SHARE)
def test_cpu_fraction_loses_what_it_should(loss_share: float) -> None:
    cpu_fraction = shapes.cpu_fraction_for(loss_share)
    assert 0.0 < cpu_fraction <= 1.0
    if cpu_fraction > shapes.CPU_FRACTION_MIN:
        assert _lost(cpu_fraction) == pytest.approx(loss_share, abs=2e-4)
    else:
        assert _lost(cpu_fraction) <= loss_share + 2e-4


def test_a_stall_within_the_callers_patience_is_forgiven() -> None:
    assert 0.0 < shapes.STALL_FORGIVEN_S < CALL_TIMEOUT_S < shapes.STALL_CYCLE_S


@pytest.mark.parametrize(("one", "other"), tuple(combinations(FlapCause, 2)))
@pytest.mark.parametrize("field", ["loss_share", "period_steps", "burst_steps"])
def test_fingerprints_overlap(one: FlapCause, other: FlapCause, field: str) -> None:
    (low, high), (other_low, other_high) = (
        getattr(shapes.FLAP_SHAPES[cause], field) for cause in (one, other)
    )
    assert max(low, other_low) <= min(high, other_high)


@pytest.mark.parametrize("cause", FlapCause)
def test_every_period_has_an_up_phase(cause: FlapCause) -> None:
    shape = shapes.FLAP_SHAPES[cause]
    assert shape.burst_steps[1] < shape.period_steps[0]


@pytest.mark.parametrize("service", Service)
@pytest.mark.parametrize("healthy_mb", HEALTHY_MEMORY_MB)
@pytest.mark.parametrize("leak_mb", shapes.OOM_LEAK_MB_PER_STEP)
def test_a_kill_comes_every_three_to_five_steps(
    service: Service, healthy_mb: float, leak_mb: float
) -> None:
    limit_mb = LIMITS[service].memory_limit_mb
    killed_at = next(n for n in range(1, 100) if healthy_mb + n * leak_mb > limit_mb)
    assert 3 <= killed_at <= 5


def test_a_leaking_pool_is_broken_within_ten_steps() -> None:
    low, high = shapes.LEAK_FILL_STEPS
    assert 4 <= low < high <= 10
