"""What two scrapes say of the host: who waited for a CPU, and how late the users were."""

import pytest

from orchestrator.telemetry.host import host_figures
from orchestrator.telemetry.window import BOUNDS_S, NO_CALLS, Buckets, Sample, Samples
from sre_autopilot.world.topology import USERS

A, B = "a-0", "b-0"


def sample(waited_s: float | None = None, lateness: Buckets = NO_CALLS) -> Sample:
    return Sample(1.0, 1.0, 1.0, {}, run_queue_wait_s=waited_s, lateness=lateness)


def late(*seconds: float) -> Buckets:
    return tuple(float(sum(one <= bound for one in seconds)) for bound in BOUNDS_S)


def waits(before: Samples, after: Samples) -> dict[str, float] | None:
    return host_figures(before, after, overshoot_s=0.0, own_wait_s=None).run_queue_wait_ms


def test_each_process_has_its_own_wait() -> None:
    before, after = {A: sample(1.0), B: sample(0.0)}, {A: sample(1.25), B: sample(0.002)}
    assert waits(before, after) == {A: 250.0, B: 2.0}


def test_a_process_that_began_in_the_window_waited_since() -> None:
    assert waits({}, {A: sample(0.1)}) == {A: 100.0}


def test_a_process_that_is_gone_has_no_wait() -> None:
    assert waits({A: sample(1.0), B: sample(1.0)}, {B: sample(1.5)}) == {B: 500.0}


def test_a_kernel_without_the_count_leaves_it_open() -> None:
    assert waits({A: sample()}, {A: sample()}) is None


def test_the_orchestrators_own_figures_are_kept_in_ms() -> None:
    figures = host_figures({}, {}, overshoot_s=0.0123456, own_wait_s=0.5)
    assert (figures.overshoot_ms, figures.orchestrator_wait_ms) == (12.346, 500.0)
    assert host_figures({}, {}, overshoot_s=0.0, own_wait_s=None).orchestrator_wait_ms is None


def test_lateness_is_that_of_the_window_alone() -> None:
    before, after = {USERS: sample(lateness=late(0.9))}, {USERS: sample(lateness=late(0.9, 0.004))}
    figures = host_figures(before, after, overshoot_s=0.0, own_wait_s=None)
    assert figures.lateness_p99_ms == pytest.approx(4.975)


@pytest.mark.parametrize("after", [{}, {USERS: sample()}])
def test_no_request_has_no_lateness(after: Samples) -> None:
    assert host_figures({}, after, overshoot_s=0.0, own_wait_s=None).lateness_p99_ms is None
