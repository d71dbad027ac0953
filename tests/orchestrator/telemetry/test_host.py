"""What two scrapes say of the host: who waited for a CPU, and how late the users were."""

import os
from pathlib import Path

import pytest

from orchestrator.telemetry.host import CPUS, HostClock, HostClocks, host_figures
from orchestrator.telemetry.window import BOUNDS_S, NO_CALLS, Buckets, Sample, Samples
from services.runtime.run_queue import RunQueueWait
from sre_autopilot.grading import HostFigures
from sre_autopilot.world.topology import USERS

A, B = "a-0", "b-0"
UNCOUNTED = HostClock(1.0, None, None), HostClock(1.5, None, None)


def sample(waited_s: float | None = None, lateness: Buckets = NO_CALLS) -> Sample:
    return Sample(1.0, 1.0, 1.0, {}, run_queue_wait_s=waited_s, lateness=lateness)


def late(*seconds: float) -> Buckets:
    return tuple(float(sum(one <= bound for one in seconds)) for bound in BOUNDS_S)


def waits(before: Samples, after: Samples) -> dict[str, float] | None:
    return figures(before, after).run_queue_wait_ms


def figures(before: Samples, after: Samples) -> HostFigures:
    return host_figures(before, after, UNCOUNTED, 0.0)


def test_each_process_has_its_own_wait() -> None:
    before, after = {A: sample(1.0), B: sample(0.0)}, {A: sample(1.25), B: sample(0.002)}
    assert waits(before, after) == {A: 250.0, B: 2.0}


def test_a_process_that_began_in_the_window_waited_since() -> None:
    assert waits({}, {A: sample(0.1)}) == {A: 100.0}


def test_a_process_that_is_gone_has_no_wait() -> None:
    assert waits({A: sample(1.0), B: sample(1.0)}, {B: sample(1.5)}) == {B: 500.0}


def test_a_kernel_without_the_count_leaves_it_open() -> None:
    assert waits({A: sample()}, {A: sample()}) is None


def test_the_orchestrator_reads_its_own_wait_and_the_machines() -> None:
    clocks = (HostClock(9.0, 1.0, 7.25), HostClock(9.5, 1.5, 7.25 + 0.1 * CPUS))
    read = host_figures({}, {}, clocks, overshoot_s=0.0123456)
    assert (read.window_ms, read.overshoot_ms, read.orchestrator_wait_ms) == (500.0, 12.346, 500.0)
    assert read.stolen_ratio == pytest.approx(0.2)


@pytest.mark.parametrize("later", [HostClock(2.0, 1.0, 1.0), HostClock(2.0, None, None)])
def test_a_count_that_is_missing_leaves_its_figure_open(later: HostClock) -> None:
    read = host_figures({}, {}, (UNCOUNTED[0], later), 0.0)
    assert (read.orchestrator_wait_ms, read.stolen_ratio) == (None, None)


def test_lateness_is_that_of_the_window_alone() -> None:
    before, after = {USERS: sample(lateness=late(0.9))}, {USERS: sample(lateness=late(0.9, 0.004))}
    assert figures(before, after).lateness_p99_ms == pytest.approx(4.975)


@pytest.mark.parametrize("after", [{}, {USERS: sample()}])
def test_no_request_has_no_lateness(after: Samples) -> None:
    assert figures({}, after).lateness_p99_ms is None


def test_stolen_time_is_read_from_the_kernels_first_line(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    ticks = os.sysconf("SC_CLK_TCK")
    stat.write_text(f"cpu  1 2 3 4 5 6 7 {3 * ticks} 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    clocks = HostClocks(RunQueueWait(tmp_path), stat)
    clock = clocks.read()
    assert (clock.waited_s, clock.stolen_s) == (None, 3.0)


@pytest.mark.parametrize("text", ["", "cpu 1 2", "cpu 1 2 3 4 5 6 7 much"])
def test_a_kernel_that_counts_no_stolen_time_has_none(tmp_path: Path, text: str) -> None:
    stat = tmp_path / "stat"
    assert HostClocks(stat=stat).read().stolen_s is None
    stat.write_text(text)
    assert HostClocks(stat=stat).read().stolen_s is None
