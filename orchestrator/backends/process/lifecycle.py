"""Starts, kills and counts the replicas as processes. Knows where each one serves; calls none."""

import asyncio
from collections.abc import Iterable

from orchestrator.backends.live.lifecycle import LivesKept
from orchestrator.backends.live.replicas import Life
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.supervisor import ZYGOTE, Supervisor
from orchestrator.errors import MeshNotReady
from orchestrator.telemetry.spans import SpanReceiver
from services.runtime.spec import ProcessSpec
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import CALL_TIMEOUT_S, LIMITS, USERS
from sre_autopilot.world.vocabulary import Release

READY_TIMEOUT_S = 30.0
"""For a cold start, imports included, on a machine that is busy."""
_GRACE_S = 2 * CALL_TIMEOUT_S
"""A stopped replica may answer the calls that it has (callers wait one time-out) and shut down."""


class ProcessLifecycle(LivesKept):
    """One process a replica, and one that is the users."""

    def __init__(
        self,
        supervisor: Supervisor,
        directory: MeshDirectory,
        receiver: SpanReceiver,
        *,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        super().__init__(ready_timeout_s)
        self._supervisor = supervisor
        self._directory = directory
        self._receiver = receiver

    async def launch(self, seed: int) -> None:
        await self._supervisor.start()
        await asyncio.gather(*self._leaving.values())
        self._leaving.clear()
        await self._supervisor.kill(self.lives())
        self._replicas.clear()
        self._seed = seed
        for replica in initial_deployment():
            await self.start(replica.id, replica.release)
        self._users = await self._spawn(USERS, Release.CURRENT, None)
        await self._all_serve()

    async def start(self, replica: ReplicaId, release: Release) -> None:
        if leaving := self._leaving.pop(replica, None):
            await leaving
        if was := self._replicas.pop(replica, None):
            await self._supervisor.kill([was])
        self._releases[replica] = release
        limit_mb = LIMITS[replica.service].memory_limit_mb
        self._replicas[replica] = await self._spawn(str(replica), release, limit_mb)

    async def stop(self, replica: ReplicaId) -> None:
        """Out of the mesh at once; it ends what it is at while the window passes."""
        if process := self._replicas.pop(replica, None):
            goodbye = self._supervisor.terminate(process, _GRACE_S)
            self._leaving[replica] = asyncio.create_task(goodbye)

    async def look(self) -> None:
        """The zygote reports by itself."""

    async def aclose(self) -> None:
        """Waits for no one that is leaving: they end with the zygote."""
        leaving = tuple(self._leaving.values())
        self._leaving.clear()
        for goodbye in leaving:
            goodbye.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)

    async def _spawn(self, name: str, release: Release, memory_limit_mb: int | None) -> Life:
        spec = ProcessSpec(
            name=name,
            release=release,
            seed=self._seed,
            data_dir=self._directory.path,
            otlp_endpoint=await self._receiver.start(),
        )
        return await self._supervisor.spawn(name, spec.to_json(), memory_limit_mb)

    def _not_ready(self, processes: Iterable[Life]) -> MeshNotReady:
        """Names those that do not serve, and how the log of one of them ends."""
        missing = [process for process in processes if process.serving is None]
        names = ", ".join(map(str, missing))
        logs = (self._directory.log_tail(name) for name in (*(p.name for p in missing), ZYGOTE))
        tail = next(filter(None, logs), "nothing in its log")
        return MeshNotReady(f"{names} ({tail})", self._ready_timeout_s)
