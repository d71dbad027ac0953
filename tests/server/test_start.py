"""Starting: importing the server starts nothing, and its command line explains itself."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys

import pytest

import server.app
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.settings import Settings
from server.app import create_app, main
from server.environment import SREEnvironment
from server.monitoring import Monitoring
from server.uvicorn_options import refuse_several_workers
from sre_autopilot.errors import InvalidValue
from sre_autopilot.world.vocabulary import FaultKind
from tests.architecture.source import ROOT
from tests.server.doors import Workshop, in_process

START_TIMEOUT_S = 10.0
UNUSED_PACKAGES = ("matplotlib", "scipy", "numba", "gradio")
IMPORTED_AND_PLAYED = f"""
import os, pathlib, socket, sys, threading
import server.app
print(len(server.app.app.routes) > 0, threading.active_count())
threads = pathlib.Path("/proc/self/task").iterdir()
print("children", "".join(pathlib.Path(t, "children").read_text() for t in threads).split())
sockets = [os.readlink(f) for f in pathlib.Path("/proc/self/fd").iterdir() if f.is_symlink()]
print("sockets", [name for name in sockets if name.startswith("socket:")])
import sre_autopilot
with sre_autopilot.make_env() as env:
    env.reset(seed=1)
print("packages", [name for name in {UNUSED_PACKAGES} if name in sys.modules])
"""


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """By a process that imports the server, and then plays."""
    done = run("-c", IMPORTED_AND_PLAYED)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_importing_the_server_starts_nothing(printed):
    assert printed[:3] == ["True 1", "children []", "sockets []"]


def test_server_and_a_reset_import_no_package_of_other_extras(printed):
    assert printed[3:] == ["packages []"]


def test_the_command_line_explains_itself(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "--host" in said and "--port" in said and "8000" in said


STARTS = [lambda: main(["--port", "0"]), lambda: server.app.app]


@pytest.mark.parametrize("start", STARTS, ids=["server.app", "uvicorn"])
def test_wrong_settings_are_named(monkeypatch, capsys, start):
    monkeypatch.delitem(vars(server.app), "app", raising=False)
    monkeypatch.setenv("SRE_MAX_SESSIONS", "none")
    monkeypatch.setenv("SRE_METRICS_PORT", "-1")
    with pytest.raises(SystemExit) as ended:
        start()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "SRE_MAX_SESSIONS: 'none' is not valid; valid: a whole number" in said
    assert "SRE_METRICS_PORT" in said


@pytest.mark.parametrize(
    ("variable", "value", "valid"),
    [
        ("SRE_BACKEND", "marble", ProcessBackend.name),
        ("SRE_FAULT", "gremlins", FaultKind.SINGLE_OOM),
        ("SRE_FAULT", "nowhere:Fault", "nowhere"),
        ("SRE_BACKEND", "json:NoSuchClass", "NoSuchClass"),
        ("SRE_BACKEND", "json:JSONDecoder", "no method of"),
        ("SRE_SIMULATOR_OF", "moon", ProcessBackend.name),
    ],
)
def test_unknown_name_in_a_setting_ends_the_server_at_once(
    monkeypatch, capsys, *, variable, value, valid
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        main(["--port", "0"])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert f"{variable}: unknown" in line and repr(value) in line and valid in line


def test_a_taken_port_is_said_before_anything_starts(monkeypatch, capsys):
    monkeypatch.setattr("uvicorn.run", lambda *_args, **_kwargs: pytest.fail("it started"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["--host", "127.0.0.1", "--port", str(port)])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line.startswith(f"server: port {port} on 127.0.0.1 is taken") and "--port" in line


def test_taken_port_is_the_only_line_under_uvicorn():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = ("-m", "uvicorn", "server.app:app", "--host", "127.0.0.1", "--port", port)
        done = run(*command, SRE_METRICS_PORT="0")
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith(f"server: port {port} on 127.0.0.1 is taken") and "--port" in line


def test_the_server_is_one_process_and_waits_for_an_agent_that_thinks(monkeypatch):
    """Whatever WEB_CONCURRENCY says; and a socket is kept without a pong for ten minutes, or for as
    long as is set.
    """
    options: dict[str, object] = {}
    monkeypatch.setattr("uvicorn.run", lambda _app, **keywords: options.update(keywords))
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    main(["--host", "127.0.0.1", "--port", "0"])
    assert (options["workers"], options["ws_ping_timeout"]) == (1, 600)
    monkeypatch.setenv("SRE_PING_TIMEOUT_S", "123")
    main(["--host", "127.0.0.1", "--port", "0"])
    assert options["ws_ping_timeout"] == 123


def test_several_workers_of_uvicorn_are_refused():
    command = ("-m", "uvicorn", "server.app:app", "--port", "0")
    done = run(*command, WEB_CONCURRENCY="2", SRE_BACKEND="simulator", SRE_METRICS_PORT="0")
    assert "server: workers must be 1" in done.stderr and "WEB_CONCURRENCY" in done.stderr
    assert "Application startup complete" not in done.stderr


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (["--workers", "2"], True),
        (["--workers", "1"], False),
        (["--workers", "2", "--reload"], False),
    ],
)
def test_a_worker_that_is_not_alone_ends_uvicorn(monkeypatch, options, refused):
    signals: list[int] = []
    monkeypatch.setattr("multiprocessing.parent_process", object)
    monkeypatch.setattr("os.kill", lambda _pid, number: signals.append(number))
    monkeypatch.setattr("sys.argv", ["uvicorn", "server.app:app", *options])
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    with pytest.raises(InvalidValue, match="workers") if refused else contextlib.nullcontext():
        refuse_several_workers()
    assert signals == [signal.SIGTERM] * refused


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [("127.0.0.1", "99999", "from 0 to 65535"), ("192.0.2.1", "0", "cannot listen on 192.0.2.1")],
)
def test_an_address_that_cannot_be_had_is_named(capsys, host, port, said):
    with pytest.raises(SystemExit):
        main(["--host", host, "--port", port])
    assert said in capsys.readouterr().err


@pytest.mark.anyio
async def test_the_server_is_ready_once_its_backend_is_in_order(monkeypatch):
    prepared: asyncio.Queue[Settings] = asyncio.Queue()
    in_order = asyncio.Event()

    async def prepare(settings, _report):
        prepared.put_nowait(settings)
        await in_order.wait()

    monkeypatch.setattr("server.preparation.prepare", prepare)
    settings = Settings(metrics_port=0)
    workshop = Workshop()
    async with (
        asyncio.timeout(START_TIMEOUT_S),
        in_process(create_app(settings, workshop.make)) as client,
    ):
        assert await prepared.get() == settings
        starting = await client.get("/ready")
        assert (starting.status_code, starting.json()["status"]) == (503, "backend_starting")
        assert (await client.get("/health")).status_code == 200
        in_order.set()
        while (await client.get("/ready")).status_code != 200:
            await asyncio.sleep(0)


@pytest.mark.anyio
async def test_a_reset_starts_nothing_before_the_backend_is_in_order():
    workshop, in_order = Workshop(), asyncio.Event()
    environment = SREEnvironment(
        Settings(), Monitoring(), "one", workshop.make, prepared=in_order.wait
    )
    resetting = asyncio.create_task(environment.reset_async(seed=1))
    await asyncio.sleep(0)
    assert workshop.made == [] and environment.busy
    in_order.set()
    await resetting
    await environment.aclose()


@pytest.mark.anyio
async def test_a_server_makes_no_mesh_by_itself():
    workshop = Workshop()
    async with in_process(create_app(Settings(metrics_port=0), workshop.make)) as client:
        for path in ("/health", "/ready", "/metadata", "/schema", "/tasks", "/state", "/web", "/"):
            assert (await client.get(path)).status_code in {200, 307}
        assert (await client.get("/health")).json() == {"status": "healthy"}
        assert workshop.made == []
