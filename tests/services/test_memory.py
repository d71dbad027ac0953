"""Memory of a process, by proportional share."""

import os
import resource
from pathlib import Path

import pytest

from services.runtime.memory import proportional_bytes


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
