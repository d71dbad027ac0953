"""Memory of a process, by proportional share."""

import os
import resource
from pathlib import Path

import pytest

from services.runtime import memory
from services.runtime.memory import ProportionalMemory, proportional_bytes, resident_bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "self").mkdir()
    return tmp_path / "self"


def test_memory_is_the_proportional_set_size(tmp_path: Path, folder: Path) -> None:
    (folder / "smaps_rollup").write_text(
        "00400000-7fff ---p [rollup]\nRss:  2048 kB\nPss:  1024 kB\nPss_Anon: 9 kB\n"
    )
    assert proportional_bytes(proc=tmp_path) == 1 << 20


def test_without_the_sum_of_the_kernel_the_parts_are_added(tmp_path: Path, folder: Path) -> None:
    (folder / "smaps").write_text("Rss: 9 kB\nPss: 512 kB\nRss: 9 kB\nPss: 512 kB\n")
    assert proportional_bytes(proc=tmp_path) == 1 << 20


def test_a_kernel_without_the_value_is_an_error(tmp_path: Path, folder: Path) -> None:
    (folder / "smaps_rollup").write_text("Rss:  2048 kB\n")
    with pytest.raises(ValueError, match="Pss"):
        proportional_bytes(proc=tmp_path)


def test_a_process_that_has_gone_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        proportional_bytes(1, tmp_path)


def test_the_share_is_never_above_the_peak_of_the_process() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert 0 < proportional_bytes(os.getpid()) <= peak


def test_the_resident_size_is_at_least_the_share() -> None:
    assert resident_bytes(os.getpid()) >= proportional_bytes(os.getpid())


class Readings:
    """A process whose share and resident size are set, and a count of the dear reading."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.share, self.resident, self.summed, self.now_s = 30 << 20, 90 << 20, 0, 0.0
        monkeypatch.setattr(memory, "proportional_bytes", self._sum)
        monkeypatch.setattr(memory, "resident_bytes", lambda: self.resident)
        monkeypatch.setattr("services.runtime.memory.time.monotonic", lambda: self.now_s)

    def _sum(self) -> int:
        self.summed += 1
        return self.share


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    return Readings(monkeypatch)


def test_small_growth_is_added_without_a_sum_over_all_pages(readings: Readings) -> None:
    own = ProportionalMemory()
    assert own.bytes() == readings.share
    readings.resident += 4096
    assert own.bytes() == readings.share + 4096
    assert readings.summed == 1


def test_large_growth_and_age_make_the_sum_anew(readings: Readings) -> None:
    own = ProportionalMemory()
    own.bytes()
    readings.resident += 8 << 20
    readings.share += 7 << 20
    assert own.bytes() == readings.share
    readings.now_s += ProportionalMemory.REFRESH_S + 0.1
    readings.share -= 1 << 20
    assert own.bytes() == readings.share
    assert readings.summed == 3
