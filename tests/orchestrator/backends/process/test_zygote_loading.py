"""A zygote that still loads the services ends with its owner, and so does the mesh's folder."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT
from tests.orchestrator.backends.conftest import alive, until

SLOW = """
import threading
from orchestrator.backends.process import zygote

def load():
    print(flush=True)  # to the log: it says that loading has begun
    threading.Event().wait()

zygote.main(load)
"""
OWNER = """
import subprocess, sys
from pathlib import Path
from orchestrator.backends.process.directory import MeshDirectory

folder = MeshDirectory(Path(sys.argv[1])).path
command = [sys.executable, "-c", sys.argv[2], str(folder)]
with (folder / "zygote.log").open("wb") as log:
    zygote = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
print(zygote.pid, flush=True)
zygote.wait()
"""


def test_a_zygote_that_loads_ends_with_its_owner_at_once(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", OWNER, str(tmp_path), SLOW]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        zygote = int(owner.stdout.readline())
        (log,) = tmp_path.glob("*/zygote.log")
        until(lambda: log.stat().st_size)
        owner.kill()
        owner.wait()
    until(lambda: not alive(zygote))
    assert list(tmp_path.iterdir()) == []
