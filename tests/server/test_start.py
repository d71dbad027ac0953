"""Starting: importing the server starts nothing, and its command line explains itself."""

import os
import subprocess
import sys

import pytest

from orchestrator.settings import Settings
from server.app import create_app
from tests.architecture.source import ROOT
from tests.server.doors import Workshop, in_process

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


@pytest.mark.anyio
async def test_a_server_makes_no_mesh_by_itself():
    workshop = Workshop()
    async with in_process(create_app(Settings(metrics_port=0), workshop.make)) as client:
        for path in ("/health", "/ready", "/metadata", "/schema", "/tasks", "/state", "/web", "/"):
            assert (await client.get(path)).status_code in {200, 307}
        assert (await client.get("/health")).json() == {"status": "healthy"}
        assert workshop.made == []
