"""The zygote as a program: what it does for commands, and what it leaves behind (nothing)."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.runtime.spec import ProcessSpec
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE, Release
from tests.architecture.source import ROOT
from tests.orchestrator.backends.conftest import alive, children, until
from tests.orchestrator.backends.process import stand_in

NAME = f"{Service.USER_DB}-0"
OTHER = f"{Service.INVENTORY_DB}-0"
THIRD = f"{Service.PAYMENT_GATEWAY}-0"
LIMIT_MB = 96


class Shell:
    """Types commands and reads events."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with (folder / "zygote.log").open("wb") as log:
            self.process = subprocess.Popen(
                stand_in.COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
            )

    def send(self, command: str, **fields: object) -> None:
        self.write(json.dumps({"command": command, **fields}) + "\n")

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def event(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def spawn_command(self, name: str, seed: int, memory_limit_mb: int | None) -> dict[str, object]:
        spec = ProcessSpec(name, Release.CURRENT, seed, self.folder).to_json()
        log = str(self.log(name))
        return {"name": name, "spec": spec, "log": log, "memory_limit_mb": memory_limit_mb}

    def spawn(self, name: str = NAME, memory_limit_mb: int | None = LIMIT_MB) -> dict[str, Any]:
        """Returns what the child reports when it is ready."""
        self.send("spawn", **self.spawn_command(name, 1, memory_limit_mb))
        return self.event()

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def close(self) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        exit_code = self.process.wait(5)
        self.process.stdout.close()
        return exit_code


def put(ready: dict[str, Any], path: str, body: object) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{ready['control_port']}{path}", json.dumps(body).encode(), method="PUT"
    )
    urllib.request.urlopen(request).close()


def run_python(program: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", program]
    return subprocess.run(
        argv, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def leak(ready: dict[str, Any], memory_leak_mb: float) -> None:
    body = {"memory_leak_mb": memory_leak_mb, "drop_ratio": 0.0, "partitioned": 0.0}
    with contextlib.suppress(OSError):  # it may be killed before it can answer
        put(ready, ControlRoute.IMPAIRMENTS, body)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def test_a_child_serves_and_says_where(shell: Shell) -> None:
    ready = shell.spawn()
    assert (ready["event"], ready["name"]) == ("ready", NAME)
    assert children(shell.process.pid) == [ready["pid"]]
    assert Path(f"/proc/{ready['pid']}/comm").read_text().strip() == NAME
    leak(ready, 0.0)


def test_kill_is_done_when_it_is_reported(shell: Shell) -> None:
    pids = [shell.spawn(name)["pid"] for name in (NAME, OTHER)]
    shell.send("kill", names=[NAME, "nobody", OTHER])
    exits = [shell.event(), shell.event()]
    assert [(e["event"], e["pid"], e["exit_code"], e["oom"]) for e in exits] == [
        ("exited", pid, 137, False) for pid in pids
    ]
    assert children(shell.process.pid) == []


def test_a_name_can_be_used_again(shell: Shell) -> None:
    first = shell.spawn()
    shell.send("kill", names=[NAME])
    shell.event()
    assert shell.spawn()["pid"] != first["pid"]


def test_terminate_asks_a_child_to_end(shell: Shell) -> None:
    pid = shell.spawn()["pid"]
    shell.send("terminate", name=NAME)
    exited = shell.event()
    assert (exited["pid"], exited["exit_code"]) == (pid, 128 + signal.SIGTERM)


def test_an_exit_of_its_own_is_reported_with_its_code(shell: Shell) -> None:
    ready = shell.spawn()
    with pytest.raises(ConnectionError):
        put(ready, "/die", 7)
    exited = shell.event()
    assert (exited["name"], exited["exit_code"], exited["oom"]) == (NAME, 7, False)


def test_a_child_above_its_memory_limit_is_killed_for_it(shell: Shell) -> None:
    ready, other = shell.spawn(NAME), shell.spawn(OTHER)
    leak(ready, LIMIT_MB + 8)
    exited = shell.event()
    assert (exited["name"], exited["exit_code"], exited["oom"]) == (NAME, OOM_EXIT_CODE, True)
    assert children(shell.process.pid) == [other["pid"]]


def test_a_child_below_its_limit_or_without_one_is_left_alone(shell: Shell) -> None:
    limited, free = shell.spawn(NAME), shell.spawn(OTHER, memory_limit_mb=None)
    leak(limited, LIMIT_MB / 2)
    leak(free, LIMIT_MB * 2)
    # A third one that is killed for its memory shows that the others have been looked at since.
    leak(shell.spawn(THIRD), LIMIT_MB + 8)
    assert shell.event()["name"] == THIRD
    assert children(shell.process.pid) == [limited["pid"], free["pid"]]


def test_the_last_output_of_a_child_is_in_its_log(shell: Shell) -> None:
    shell.send("spawn", **shell.spawn_command(NAME, stand_in.CRASHES, LIMIT_MB))
    assert shell.event()["exit_code"] == 1
    assert "the disk is on fire" in shell.log(NAME).read_text()


def test_a_child_holds_none_of_the_zygotes_ends_but_the_one_to_report_to(shell: Shell) -> None:
    pid = shell.spawn()["pid"]
    commands = Path(f"/proc/{shell.process.pid}/fd/0").readlink()
    held = [
        Path(f"/proc/{pid}/fd/{fd.name}").readlink() for fd in Path(f"/proc/{pid}/fd").iterdir()
    ]
    assert commands not in held
    assert held[:3] == [Path(os.devnull), shell.log(NAME), shell.log(NAME)]


def test_commands_may_come_in_pieces(shell: Shell) -> None:
    spawn = json.dumps({"command": "spawn", **shell.spawn_command(NAME, 1, LIMIT_MB)})
    kill = json.dumps({"command": "kill", "names": [NAME]})
    shell.write(spawn[:20])
    shell.write(spawn[20:] + "\n" + kill[:5])
    assert shell.event()["event"] == "ready"
    shell.write(kill[5:] + "\n")
    assert shell.event()["event"] == "exited"


def test_the_end_of_commands_is_the_end_of_all(shell: Shell) -> None:
    pids = [shell.spawn(name)["pid"] for name in (NAME, OTHER)]
    assert shell.close() == 0
    assert not any(map(alive, pids))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_all(shell: Shell, end: signal.Signals) -> None:
    pids = [shell.spawn(name)["pid"] for name in (NAME, OTHER)]
    shell.process.send_signal(end)
    until(lambda: not any(map(alive, [shell.process.pid, *pids])))


def test_a_second_signal_does_not_keep_the_folder(tmp_path: Path) -> None:
    """The kernel sends one as each thread of a dying owner ends."""
    folder = tmp_path / "sre-mesh-1-x"
    folder.mkdir()
    command = (*stand_in.COMMAND, str(folder))
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) as zygote:
        with (folder / "owner.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for mask in ("SigCgt", "SigIgn"):
                until(partial(_has, zygote.pid, mask, signal.SIGTERM))
                zygote.send_signal(signal.SIGTERM)
        zygote.wait(5)
    assert not folder.exists()


def _has(pid: int, mask: str, number: signal.Signals) -> bool:
    """Whether a process catches (SigCgt) or ignores (SigIgn) a signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    return bool(int(status.partition(f"{mask}:")[2].split()[0], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("command", ["dance", "spawn"])
def test_nonsense_ends_all_and_says_why(shell: Shell, tmp_path: Path, command: str) -> None:
    pid = shell.spawn()["pid"]
    shell.send(command, **shell.spawn_command(NAME, 1, LIMIT_MB))
    assert shell.process.wait(5) == 1
    until(lambda: not alive(pid))
    assert "ValueError" in (tmp_path / "zygote.log").read_text()


def test_a_program_with_threads_is_no_zygote() -> None:
    program = (
        "import threading\n"
        "from orchestrator.backends.process import zygote\n"
        "idle = threading.Thread(target=threading.Event().wait, daemon=True)\n"
        "zygote.main(lambda: idle.start())\n"
    )
    ended = run_python(program)
    assert ended.returncode == 1
    assert "a fork would lose them" in ended.stderr


def test_the_zygote_loads_nothing_that_computes() -> None:
    """NumPy would start threads, and weigh on every process."""
    ended = run_python("import orchestrator.backends.process.zygote, sys\nprint(*sys.modules)")
    assert ended.returncode == 0, ended.stderr
    assert not {"numpy", "scipy", "matplotlib", "torch"} & set(ended.stdout.split())
