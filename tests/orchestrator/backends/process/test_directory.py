"""A mesh's folder comes when it is needed and goes with its owner."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.backends.process.directory import MeshDirectory, mesh_folders, remove_stale
from tests.architecture.source import ROOT

OWNER = """
import sys
from pathlib import Path
from orchestrator.backends.process.directory import MeshDirectory
print(MeshDirectory(Path(sys.argv[1])).path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns a folder in `tmp_path`."""
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        yield process
        process.kill()


def folder_of(owner: subprocess.Popen[str]) -> Path:
    assert owner.stdout is not None
    return Path(owner.stdout.readline().strip())


def test_the_folder_is_made_on_first_use(tmp_path: Path) -> None:
    MeshDirectory(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_named_after_its_owner_and_made_once(tmp_path: Path) -> None:
    directory = MeshDirectory(tmp_path)
    assert f"-{os.getpid()}-" in directory.path.name
    assert [directory.path] == list(tmp_path.iterdir())


def test_two_folders_of_one_owner_do_not_meet(tmp_path: Path) -> None:
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


def test_only_folders_of_killed_owners_are_removed(
    tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    kept = [MeshDirectory(tmp_path).path, tmp_path / "sre-mesh-x", tmp_path / "other-1-x"]
    for path in kept[1:]:
        path.mkdir()
    stale = folder_of(owner)
    remove_stale(tmp_path)
    assert set(tmp_path.iterdir()) == {stale, *kept}
    owner.kill()
    owner.wait()
    remove_stale(tmp_path)
    assert set(tmp_path.iterdir()) == set(kept)


def test_a_new_mesh_removes_folders_of_killed_owners(
    tmp_path: Path, owner: subprocess.Popen[str]
) -> None:
    folder_of(owner)
    owner.kill()
    owner.wait()
    assert [MeshDirectory(tmp_path).path] == list(tmp_path.iterdir())


def test_a_folder_whose_owner_was_killed_while_it_was_made_is_removed_later(tmp_path: Path) -> None:
    young, old = tmp_path / ".sre-mesh-1-young", tmp_path / ".sre-mesh-1-old"
    for path in (young, old):
        path.mkdir()
    os.utime(old, (0, 0))
    assert {*mesh_folders(tmp_path)} == {young, old}
    remove_stale(tmp_path)
    assert list(tmp_path.iterdir()) == [young]


def test_a_pid_says_nothing_of_an_owner(tmp_path: Path, owner: subprocess.Popen[str]) -> None:
    """In another pid namespace its number may be free, or another's."""
    folder = folder_of(owner)
    renamed = folder.rename(tmp_path / "sre-mesh-4194305-x")
    MeshDirectory(tmp_path).path.exists()
    assert renamed.is_dir()


def test_a_folder_removed_from_outside_is_reported(tmp_path: Path) -> None:
    directory = MeshDirectory(tmp_path)
    assert not directory.vanished
    path = directory.path
    assert not directory.vanished
    shutil.rmtree(path)
    assert directory.vanished
    directory.remove()
    assert directory.path.is_dir() and directory.path != path


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    (precious / "data").mkdir(parents=True)
    (precious / "owner.lock").touch()
    (tmp_path / "sre-mesh-1-x").symlink_to(precious)
    remove_stale(tmp_path)
    assert (precious / "data").exists()


def test_a_pipe_as_a_lock_holds_nobody_up(tmp_path: Path) -> None:
    folder = tmp_path / "sre-mesh-1-x"
    folder.mkdir()
    os.mkfifo(folder / "owner.lock")
    assert MeshDirectory(tmp_path).path.is_dir()


def test_a_link_as_a_lock_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "sre-mesh-1-x"
    folder.mkdir()
    (tmp_path / "elsewhere").touch()
    (folder / "owner.lock").symlink_to(tmp_path / "elsewhere")
    remove_stale(tmp_path)
    assert folder.is_dir()


def test_a_folder_of_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "sre-mesh-1-x"
    folder.mkdir()
    (folder / "owner.lock").touch()
    this_user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: this_user + 1)
    remove_stale(tmp_path)
    assert (folder / "owner.lock").exists()
    monkeypatch.undo()
    remove_stale(tmp_path)
    assert not folder.exists()


def test_a_link_that_takes_the_place_of_a_folder_meanwhile_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, precious = tmp_path / "sre-mesh-1-x", tmp_path / "precious"
    for path in (folder, precious):
        path.mkdir()
        (path / "owner.lock").touch()
    (precious / "data").touch()
    lock = fcntl.flock

    def swapped(descriptor: int, operation: int) -> None:
        lock(descriptor, operation)
        folder.rename(tmp_path / "moved")
        folder.symlink_to(precious)

    monkeypatch.setattr(fcntl, "flock", swapped)
    remove_stale(tmp_path)
    assert {path.name for path in precious.iterdir()} == {"owner.lock", "data"}


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    directory = MeshDirectory(tmp_path)
    directory.log("a").write_bytes(b"\n".join(b"line %d" % i for i in range(100)) + b"\n\xff")
    tail = directory.log_tail("a").splitlines()
    assert len(tail) < 50
    assert tail[-2] == "line 99"
    assert directory.log_tail("nobody") == ""
