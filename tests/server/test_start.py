"""Starting: importing the server starts nothing, and its command line explains itself."""

import asyncio
import contextlib
import os
import subprocess
import sys

import pytest

from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.settings import Settings
from server.app import create_app
from sre_autopilot.world.vocabulary import FaultKind
from tests.architecture.source import ROOT
from tests.server.doors import Workshop, in_process

START_TIMEOUT_S = 10.0
IMPORT = """
import os, pathlib, socket, threading
import server.app
print(len(server.app.app.routes) > 0, threading.active_count())
threads = pathlib.Path("/proc/self/task").iterdir()
print("children", "".join(pathlib.Path(t, "children").read_text() for t in threads).split())
sockets = [os.readlink(f) for f in pathlib.Path("/proc/self/fd").iterdir() if f.is_symlink()]
print("sockets", [name for name in sockets if name.startswith("socket:")])
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


def test_importing_the_server_starts_nothing():
    done = run("-c", IMPORT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True 1", "children []", "sockets []"]


def test_the_command_line_explains_itself():
    done = run("-m", "server.app", "--help")
    assert done.returncode == 0, done.stderr
    assert "--host" in done.stdout and "--port" in done.stdout and "8000" in done.stdout


def test_a_bad_setting_is_named():
    done = run("-m", "server.app", SRE_MAX_SESSIONS="none")
    assert done.returncode != 0
    assert "max_sessions" in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SRE_BACKEND", "marble", ProcessBackend.name),
        ("SRE_FAULT", "gremlins", FaultKind.SINGLE_OOM),
        ("SRE_FAULT", "nowhere:Fault", "nowhere"),
    ],
)
def test_a_world_or_fault_that_is_not_there_ends_it_at_once(variable, value, told):
    done = run("-m", "server.app", "--port", "0", **{variable: value})
    assert done.returncode != 0
    last_words = done.stderr.splitlines()[-1]
    assert value.partition(":")[0] in last_words and told in last_words


@pytest.mark.anyio
async def test_it_serves_once_its_world_is_in_order(monkeypatch):
    asked: asyncio.Queue[Settings] = asyncio.Queue()
    in_order = asyncio.Event()

    async def prepare(settings):
        asked.put_nowait(settings)
        await in_order.wait()

    monkeypatch.setattr("server.app.prepare", prepare)
    settings = Settings(metrics_port=0)
    async with contextlib.AsyncExitStack() as stack:
        client = in_process(create_app(settings, Workshop().make))
        starting = asyncio.create_task(stack.enter_async_context(client))
        async with asyncio.timeout(START_TIMEOUT_S):
            assert await asked.get() == settings
            assert not starting.done()
            in_order.set()
            assert (await (await starting).get("/ready")).status_code == 200


@pytest.mark.anyio
async def test_a_server_makes_no_mesh_by_itself():
    workshop = Workshop()
    async with in_process(create_app(Settings(metrics_port=0), workshop.make)) as client:
        for path in ("/health", "/ready", "/metadata", "/schema", "/tasks", "/state", "/web", "/"):
            assert (await client.get(path)).status_code in {200, 307}
        assert (await client.get("/health")).json() == {"status": "healthy"}
        assert workshop.made == []
