"""Meshes of stand-ins, always closed, and how to wait."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from orchestrator.backends.live.control_client import ControlClient
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.lifecycle import ProcessLifecycle
from orchestrator.backends.process.supervisor import Supervisor
from sre_autopilot.world.deployment import ReplicaId
from tests.orchestrator.backends.process import stand_in

POLL_S = 0.01
READY_TIMEOUT_S = 10.0


def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Waits in a thread that runs no event loop."""
    end_s, never = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        assert time.monotonic() < end_s, "it did not come true"
        never.wait(POLL_S)


async def until_async(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """The same, while the event loop runs."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(POLL_S)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Mesh(ProcessLifecycle):
    """A lifecycle over stand-ins that lets a test look behind it."""

    def __init__(self, directory: MeshDirectory, ready_timeout_s: float = READY_TIMEOUT_S) -> None:
        self.supervisor = Supervisor(directory, stand_in.COMMAND)
        super().__init__(self.supervisor, directory, ready_timeout_s=ready_timeout_s)
        self._http = httpx.AsyncClient(trust_env=False, verify=False)

    async def url(self, replica: ReplicaId) -> str:
        process = await self.serving(replica)
        assert process is not None and process.target is not None
        return process.target.control_url

    async def state(self, replica: ReplicaId) -> dict[str, object]:
        """The orders that a stand-in got."""
        answer: dict[str, object] = (await self._http.get(await self.url(replica))).json()
        return answer

    async def die(self, replica: ReplicaId, exit_code: int) -> None:
        """Lets a replica end by itself, and waits until that is known."""
        with pytest.raises(httpx.RemoteProtocolError):
            await self._http.put(await self.url(replica) + "/die", json=exit_code)
        await until_async(lambda: replica in self.dead())

    async def aclose(self) -> None:
        await self._http.aclose()
        await super().aclose()
        await self.supervisor.aclose()


@pytest.fixture(scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """Shared by the tests of a module, its zygote warm: each of them launches it anew."""
    mesh = Mesh(MeshDirectory(tmp_path_factory.mktemp("mesh")))
    yield mesh
    await mesh.aclose()


@pytest.fixture(scope="module")
async def control() -> AsyncIterator[ControlClient]:
    control = ControlClient()
    yield control
    await control.aclose()
