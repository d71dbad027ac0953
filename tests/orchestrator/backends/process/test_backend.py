"""The backend as a whole: costs nothing before it is used, leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orchestrator.backends.base import Backend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.backends.process.directory import remove_stale
from orchestrator.errors import MeshNotReady
from orchestrator.reconcile import routing_of
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import Service
from tests.architecture.source import ROOT
from tests.orchestrator.backends.conftest import alive, children, until
from tests.orchestrator.backends.process import stand_in

pytestmark = pytest.mark.anyio

ALL = routing_of(initial_deployment(), 0, frozenset())
MESH_SIZE = len(Service) + 1


@pytest.fixture
async def backend(tmp_path: Path) -> AsyncIterator[ProcessBackend]:
    backend = ProcessBackend(0.1, zygote=stand_in.COMMAND, temp_root=tmp_path)
    yield backend
    await backend.aclose()


def zygotes() -> set[int]:
    return set(children(os.getpid()))


def test_a_new_backend_has_started_nothing(tmp_path: Path) -> None:
    before = zygotes()
    backend: Backend = ProcessBackend(temp_root=tmp_path)
    assert backend.name == "process"
    assert backend.step_seconds == 0.5
    assert list(tmp_path.iterdir()) == []
    assert zygotes() == before


async def test_closing_leaves_neither_process_nor_file(
    backend: ProcessBackend, tmp_path: Path
) -> None:
    before = zygotes()
    await backend.launch(1)
    (zygote,) = zygotes() - before
    mesh = [zygote, *children(zygote)]
    assert len(mesh) == MESH_SIZE + 1
    await backend.aclose()
    await backend.aclose()
    assert not any(map(alive, mesh))
    assert list(tmp_path.iterdir()) == []


async def test_an_unused_backend_can_be_closed(backend: ProcessBackend) -> None:
    await backend.aclose()


async def test_a_failed_launch_leaves_nothing_once_closed(
    backend: ProcessBackend, tmp_path: Path
) -> None:
    before = zygotes()
    with pytest.raises(MeshNotReady):
        await backend.launch(stand_in.CRASHES)
    mesh = [pid for zygote in zygotes() - before for pid in (zygote, *children(zygote))]
    await backend.aclose()
    assert not any(map(alive, mesh))
    assert list(tmp_path.iterdir()) == []


async def test_a_launch_that_is_given_up_leaves_nothing_once_closed(
    backend: ProcessBackend, tmp_path: Path
) -> None:
    before = zygotes()
    launch = asyncio.create_task(backend.launch(stand_in.NEVER_READY))
    while not any(len(children(zygote)) == MESH_SIZE for zygote in zygotes() - before):
        await asyncio.sleep(0)
    launch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launch
    mesh = [pid for zygote in zygotes() - before for pid in (zygote, *children(zygote))]
    await backend.aclose()
    assert not any(map(alive, mesh))
    assert list(tmp_path.iterdir()) == []


async def test_two_meshes_live_side_by_side(tmp_path: Path) -> None:
    backends = [ProcessBackend(0.1, zygote=stand_in.COMMAND, temp_root=tmp_path) for _ in range(2)]
    one, other = backends
    await asyncio.gather(*(backend.launch(seed) for seed, backend in enumerate(backends)))
    await asyncio.gather(*(backend.route(ALL) for backend in backends))
    windows = await asyncio.gather(*(backend.observe(0) for backend in backends))
    assert [len(window.edge_calls) for window in windows] == [8, 8]
    await one.aclose()
    window = await other.observe(1)
    assert all(service.memory_pct for service in window.services.values())
    await other.aclose()
    assert list(tmp_path.iterdir()) == []


async def test_a_replica_can_be_restarted_and_found_again(backend: ProcessBackend) -> None:
    replica = ReplicaId(Service.API_GATEWAY, 0)
    await backend.launch(1)
    await backend.route(ALL)
    await backend.restart(replica)
    await backend.ready(frozenset({replica}))
    await backend.route(ALL)
    await backend.stop(replica)
    assert backend.dead() == {}


OWNER = """
import asyncio, signal, sys
from pathlib import Path
from orchestrator.backends.process.backend import ProcessBackend
from tests.orchestrator.backends.process import stand_in

# A job in the background is born deaf to it, and hands that down.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    backend = ProcessBackend(zygote=stand_in.COMMAND, temp_root=Path(sys.argv[1]))
    await backend.launch(1)
    print(backend._supervisor._zygote.pid, flush=True)
    if sys.argv[2] == "raise":
        raise RuntimeError("and nobody closes the mesh")
    if sys.argv[2] == "close":
        async def die():
            signal.raise_signal(signal.SIGKILL)
        backend._control.aclose = die
        await backend.aclose()
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, "raise", "close"])
def test_processes_end_with_their_owner_however_that_ends(
    tmp_path: Path, end: signal.Signals | str
) -> None:
    argv = [sys.executable, "-c", OWNER, str(tmp_path), str(end)]
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout is not None
        zygote = int(owner.stdout.readline())
        mesh = [zygote, *children(zygote)] if alive(zygote) else []
        if isinstance(end, signal.Signals):
            assert len(mesh) == MESH_SIZE + 1
            owner.send_signal(end)
        owner.wait(10)
    until(lambda: not any(map(alive, mesh)))
    if end in (signal.SIGKILL, signal.SIGTERM, "close"):
        assert list(tmp_path.iterdir()) == [], "the zygote removes the folder of a dead owner"
    # Where the owner's runtime has killed the zygote, the next mesh on this machine removes it.
    remove_stale(tmp_path)
    assert list(tmp_path.iterdir()) == []
