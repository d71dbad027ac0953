"""The load of a trainer, small: its waits, the sessions that stay open for it, and its end."""

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from benchmarks import crowd, parts
from benchmarks.crowd import Crowd, play
from server.server_process import child_process
from sre_autopilot.simulator.backend import SimulatorBackend
from tests.server.doors import Workshop, make_app, on_a_port, without_preparation
from tests.sre_autopilot.cli.terminal import invoke

CROWD = Crowd(sessions=3, think_s=0.0, steps=2)
ROW = {
    "step_p50_ms": 1.0,
    "step_p99_ms": 2.0,
    "reset_p99_ms": 3.0,
    "rate": 4.0,
    "errors": 0.0,
    "operations": 9.0,
}
TRAINER = f"import json, signal; print(json.dumps({ROW!r}), flush=True); signal.pause()"
pytestmark = pytest.mark.anyio


async def played(url, of=CROWD):
    row, sockets = await play(url, of)
    for socket in sockets:
        await socket.close()
    return row


def test_every_call_of_every_session_is_counted():
    app = make_app(Workshop(), max_sessions=CROWD.sessions)
    with without_preparation(), on_a_port(app) as url:
        row = asyncio.run(played(url))
    assert set(row) == set(ROW)
    assert (row["operations"], row["errors"]) == (9.0, 0.0)
    assert 0.0 < row["step_p50_ms"] <= row["step_p99_ms"] and row["reset_p99_ms"] > 0.0
    assert row["rate"] > 0.0


@pytest.mark.parametrize(
    ("share", "quantile_ms"), [(0.0, 0.0), (0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_000.0)]
)
def test_quantiles_are_waits_that_occurred(share, quantile_ms):
    assert crowd._quantile_ms([float(wait_s) for wait_s in reversed(range(100))], share) == (
        quantile_ms
    )


class Freeing:
    """A server whose sessions end one after the other."""

    def __init__(self, sessions):
        self.left = [*range(sessions, -1, -1)]

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return
        sessions = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        body = json.dumps({"sessions": sessions}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def processes(monkeypatch):
    """Servers and trainers that were started: threads and small programs in their place."""
    started = SimpleNamespace(options=[], settings=[], commands=[], program=TRAINER)

    @asynccontextmanager
    async def server_process(_folder, _log, options, **settings):
        started.options.append(options)
        started.settings.append(settings)
        with on_a_port(Freeing(2)) as url:
            async with child_process(("-c", "import signal; signal.pause()"), _log) as server:
                yield url, server

    def program(command, log, *, stdout):
        started.commands.append(command)
        return child_process(("-c", started.program), log, stdout=stdout)

    monkeypatch.setattr(crowd, "server_process", server_process)
    monkeypatch.setattr(crowd, "child_process", program)
    monkeypatch.setattr(crowd, "POLL_S", 0.01)
    return started


async def test_figures_are_those_of_the_trainer_and_of_the_server_s_processes(processes):
    figures = await crowd.crowd_figures(CROWD, 1)
    values = {figure.name.rpartition(",")[2].strip(): figure.values for figure in figures}
    assert values["p50"] == [1.0] and values["calls that failed"] == [0.0]
    assert values["an operation"][0] >= 0.0 and values["memory of all its processes (PSS)"][0] > 1
    assert values["all sessions freed after kill -9 of the trainer"][0] > 0.0
    ((option, workers),) = processes.options
    assert option == "--workers" and int(workers) >= 2
    assert processes.settings[0]["max_sessions"] == str(CROWD.sessions)
    assert processes.commands[0][-3:] == ("3", "0.0", "2")


async def test_a_trainer_that_fails_ends_the_measurement_with_what_it_said(processes):
    processes.program = "raise SystemExit('no server')"
    with pytest.raises(RuntimeError, match="no server"):
        await crowd.crowd_figures(CROWD, 1)


async def test_sessions_that_are_never_freed_are_no_figure(monkeypatch):
    monkeypatch.setattr(crowd, "FREED_TIMEOUT_S", 0.1)
    stuck = Freeing(1)
    stuck.left = [1]
    with on_a_port(stuck) as url, pytest.raises(TimeoutError):
        await crowd._until_freed(url)


def test_a_crowd_is_measured_alone():
    (part,) = parts.parts(SimulatorBackend.name, 1, endurance=0, meshes=1, crowd=1024)
    assert "1024 sessions" in part.name
    names = [p.name for p in parts.parts(SimulatorBackend.name, 1, endurance=0, meshes=1)]
    assert part.name not in names and len(names) > 1


def test_the_command_hands_on_the_number_of_sessions(monkeypatch):
    made = Mock(return_value=[])
    monkeypatch.setattr(parts, "parts", made)
    assert invoke("bench", "--crowd", 7).exit_code == 0
    assert made.call_args.kwargs["crowd"] == 7
    assert invoke("bench", "--crowd", -1).exit_code == 2
