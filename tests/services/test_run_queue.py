"""The time that the threads of a process wait for a CPU: added up, and absent where not counted."""

import threading
from pathlib import Path

import pytest

from services.runtime.metrics import Metrics
from services.runtime.run_queue import RunQueueWait
from sre_autopilot.world.signals import RUN_QUEUE_WAIT


def write(proc: Path, waits_ns: dict[str, int]) -> None:
    """The threads of a process with what each has waited."""
    for old in (proc / "task").glob("*/schedstat"):
        old.unlink()
    for thread, wait_ns in waits_ns.items():
        (proc / "task" / thread).mkdir(parents=True, exist_ok=True)
        (proc / "task" / thread / "schedstat").write_text(f"700 {wait_ns} 3\n")


def test_the_waits_of_all_threads_add_up(tmp_path: Path) -> None:
    write(tmp_path, {"10": 1_500_000_000, "11": 500_000_000})
    assert RunQueueWait(tmp_path).seconds() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("later", "seconds"),
    [
        pytest.param({"10": 3_000_000_000, "11": 1_000_000_000}, 4.0, id="both wait on"),
        pytest.param({"10": 3_000_000_000}, 4.0, id="one ended"),
        pytest.param({"10": 2_000_000_000, "12": 500_000_000}, 3.5, id="one ended and one began"),
        pytest.param({"10": 2_000_000_000, "11": 0}, 3.0, id="a number was used again"),
    ],
)
def test_the_sum_never_falls(tmp_path: Path, later: dict[str, int], seconds: float) -> None:
    write(tmp_path, {"10": 2_000_000_000, "11": 1_000_000_000})
    waited = RunQueueWait(tmp_path)
    assert waited.seconds() == pytest.approx(3.0)
    write(tmp_path, later)
    assert waited.seconds() == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "700", "700 many 3"])
def test_a_thread_without_a_count_is_left_out(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"10": 1_000_000_000, "11": 0})
    (tmp_path / "task" / "11" / "schedstat").write_text(text)
    assert RunQueueWait(tmp_path).seconds() == pytest.approx(1.0)


def test_waits_of_a_process_that_its_quota_stops_are_left_out(tmp_path: Path) -> None:
    quota, times_s = tmp_path / "cpu.stat", iter((0.0, 0.5, 1.0, 1.1, 1.8, 2.3))
    waited = RunQueueWait(tmp_path, quota, lambda: next(times_s))
    read = []
    # Two windows, in the second of which it is stopped, and another scrape just after that.
    for stops, wait_s in ((0, 1.0), (3, 5.0), (3, 6.0), (3, 7.0), (3, 7.25)):
        quota.write_text(f"usage_usec 7\nnr_periods 9\nnr_throttled {stops}\nthrottled_usec 8\n")
        write(tmp_path, {"1": int(wait_s * 1e9)})
        read.append(waited.seconds())
    assert read == [1.0, 1.0, 1.0, 1.0, 1.25]


@pytest.mark.parametrize("text", [None, "", "nr_throttled\n", "nr_throttled many\n"])
def test_a_quota_that_is_not_counted_leaves_nothing_out(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "cpu.stat").write_text(text)
    write(tmp_path, {"10": 1_000_000_000})
    assert RunQueueWait(tmp_path, tmp_path / "cpu.stat").seconds() == pytest.approx(1.0)


def test_a_kernel_that_counts_nothing_has_no_wait(tmp_path: Path) -> None:
    assert RunQueueWait(tmp_path).seconds() is None
    (tmp_path / "task" / "10").mkdir(parents=True)
    assert RunQueueWait(tmp_path).seconds() is None


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel counts no waits for a CPU"
)
def test_own_threads_are_read_from_the_kernel() -> None:
    waited = RunQueueWait()
    first = waited.seconds()
    thread = threading.Thread(target=lambda: sum(range(100_000)))
    thread.start()
    thread.join()
    second = waited.seconds()
    assert first is not None and second is not None
    assert 0.0 < first <= second


def test_the_page_leaves_a_missing_count_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"10": 250_000_000})
    name = "services.runtime.metrics.RunQueueWait"
    monkeypatch.setattr(name, lambda quota: RunQueueWait(tmp_path))
    assert f"{RUN_QUEUE_WAIT} 0.25" in Metrics().page().decode()
    monkeypatch.setattr(name, lambda quota: RunQueueWait(tmp_path / "nothing"))
    assert RUN_QUEUE_WAIT not in Metrics().page().decode()
