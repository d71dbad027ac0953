"""Starts, kills and counts the replicas as processes. Knows where each one serves; calls none."""

import asyncio
from collections.abc import Iterable

from orchestrator.backends.live.replicas import ReplicaHandle, ReplicaSet
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.supervisor import ZYGOTE, Supervisor
from orchestrator.errors import BackendError, MeshNotReady
from services.runtime.spec import ProcessSpec
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import CALL_TIMEOUT_S, LIMITS, USERS
from sre_autopilot.world.vocabulary import Release

READY_TIMEOUT_S = 30.0
"""For a cold start, imports included, on a machine that is busy."""
_GRACE_S = 2 * CALL_TIMEOUT_S
"""A stopped replica may answer the calls that it has (callers wait one time-out) and shut down."""


class ProcessLifecycle(ReplicaSet):
    """One process a replica, and one that sends the users' requests."""

    def __init__(
        self,
        supervisor: Supervisor,
        directory: MeshDirectory,
        *,
        ready_timeout_s: float = READY_TIMEOUT_S,
        token: str | None = None,
    ) -> None:
        """token: what all ports of the mesh ask for; it reaches the processes by a pipe alone."""
        super().__init__(ready_timeout_s)
        self._supervisor = supervisor
        self._directory = directory
        self._token = token

    async def launch(self, seed: int) -> None:
        try:
            await self._launch(seed)
        except BackendError:
            if not self._supervisor.has_ended:
                raise
            # A zygote that was killed a moment before looks alive until its pipes break.
            await self._launch(seed)

    async def _launch(self, seed: int) -> None:
        await self._supervisor.start()
        stopping, self._stopping = self._stopping, {}
        # A stop that failed is made up for: all that run are killed below.
        await asyncio.gather(*stopping.values(), return_exceptions=True)
        await self._supervisor.kill(self.handles())
        self._replicas.clear()
        self._seed = seed
        for replica in initial_deployment():
            await self.start(replica.id, replica.release)
        self._users = await self._spawn(USERS, Release.CURRENT, None)
        await self._all_serve()

    async def start(self, replica: ReplicaId, release: Release) -> None:
        await self._stopped(replica)
        if running := self._replicas.pop(replica, None):
            await self._supervisor.kill([running])
        self._releases[replica] = release
        limit_mb = LIMITS[replica.service].memory_limit_mb
        self._replicas[replica] = await self._spawn(str(replica), release, limit_mb)

    async def stop(self, replica: ReplicaId) -> None:
        """Takes it out of the mesh at once; it finishes its calls while the window passes."""
        if handle := self._replicas.pop(replica, None):
            self._stop_in_background(replica, self._supervisor.terminate(handle, _GRACE_S))

    async def refresh(self) -> None:
        """Raises BackendError where the mesh's folder is gone: what starts from now on would die.

        Exits need no look: the zygote reports them by itself.
        """
        if self._directory.vanished:
            raise BackendError(f"the mesh's folder {self._directory.path} was removed")

    async def aclose(self) -> None:
        """Does not wait for replicas that are stopping: the zygote kills them when it ends."""
        stopping = tuple(self._stopping.values())
        self._stopping.clear()
        for task in stopping:
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)

    async def _spawn(
        self, name: str, release: Release, memory_limit_mb: int | None
    ) -> ReplicaHandle:
        spec = ProcessSpec(
            name=name,
            release=release,
            seed=self._seed,
            data_dir=self._directory.path,
            token=self._token,
        )
        return await self._supervisor.spawn(name, spec.to_json(), memory_limit_mb)

    def _not_ready(self, handles: Iterable[ReplicaHandle]) -> MeshNotReady:
        """Names those that do not serve, with the end of the first log that holds anything."""
        missing = [handle for handle in handles if handle.serving is None]
        names = ", ".join(map(str, missing))
        logs = (self._directory.log_tail(name) for name in (*(h.name for h in missing), ZYGOTE))
        tail = next(filter(None, logs), "nothing in its log")
        return MeshNotReady(f"{names} ({tail})", self._ready_timeout_s)
