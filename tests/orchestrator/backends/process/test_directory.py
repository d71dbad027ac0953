"""A mesh's folder comes when it is needed and goes with its owner."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.backends.process.directory import MeshDirectory, remove_stale


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_folder_is_made_on_first_use(tmp_path: Path) -> None:
    MeshDirectory(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_named_after_its_owner_and_made_once(tmp_path: Path) -> None:
    directory = MeshDirectory(tmp_path)
    assert f"-{os.getpid()}-" in directory.path.name
    assert [directory.path] == list(tmp_path.iterdir())


def test_two_of_one_owner_live_side_by_side(tmp_path: Path) -> None:
    one, other = MeshDirectory(tmp_path), MeshDirectory(tmp_path)
    paths = {one.path, other.path}
    assert len(paths) == 2
    one.remove()
    assert list(tmp_path.iterdir()) == [other.path]


def test_removal_takes_all_of_it_and_may_be_repeated(tmp_path: Path) -> None:
    directory = MeshDirectory(tmp_path)
    directory.log("a").write_text("x")
    directory.remove()
    directory.remove()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_the_dead_go_and_all_others_stay(tmp_path: Path, dead_pid: int) -> None:
    stale = tmp_path / f"sre-mesh-{dead_pid}-x"
    (stale / "inside").mkdir(parents=True)
    kept = [tmp_path / name for name in (f"sre-mesh-{os.getpid()}-x", "sre-mesh-x", "other-1-x")]
    for path in kept:
        path.mkdir()
    remove_stale(tmp_path)
    assert set(tmp_path.iterdir()) == set(kept)


def test_a_new_mesh_removes_what_the_dead_have_left(tmp_path: Path, dead_pid: int) -> None:
    (tmp_path / f"sre-mesh-{dead_pid}-x").mkdir()
    assert [MeshDirectory(tmp_path).path] == list(tmp_path.iterdir())


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, dead_pid: int) -> None:
    precious = tmp_path / "precious"
    (precious / "data").mkdir(parents=True)
    (tmp_path / f"sre-mesh-{dead_pid}-x").symlink_to(precious)
    remove_stale(tmp_path)
    assert (precious / "data").exists()


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    directory = MeshDirectory(tmp_path)
    directory.log("a").write_bytes(b"\n".join(b"line %d" % i for i in range(100)) + b"\n\xff")
    tail = directory.log_tail("a").splitlines()
    assert len(tail) < 50
    assert tail[-2] == "line 99"
    assert directory.log_tail("nobody") == ""
