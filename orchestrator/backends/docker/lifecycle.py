"""Starts, kills and counts the replicas as containers. Knows where each one serves; calls none."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping

from orchestrator.backends.docker.chaos_client import Chaos
from orchestrator.backends.docker.supervisor import Supervisor
from orchestrator.backends.live.lifecycle import LivesKept
from orchestrator.backends.live.replicas import Life
from orchestrator.errors import MeshNotReady, ReplicaUnreachable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.stack import REPLICAS
from sre_autopilot.world.topology import CALL_TIMEOUT_S, USERS
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, Release

READY_TIMEOUT_S = 60.0
"""For all of them at once, on a machine that is busy."""
_GRACE_S = 4 * CALL_TIMEOUT_S
"""A stopped replica may answer the calls that it has (callers wait one time-out) and shut down."""


class DockerLifecycle(LivesKept):
    """One container a replica, and one that is the users."""

    def __init__(
        self, supervisor: Supervisor, chaos: Chaos, *, ready_timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        super().__init__(ready_timeout_s)
        self._supervisor = supervisor
        self._chaos = chaos
        self._soiled: set[ReplicaId] = set()

    async def launch(self, seed: int) -> None:
        """A container that nothing has happened to is kept, and told of the new episode."""
        await self.reconcile()
        self._replicas, self._users = await self._renewed(seed, self._replicas, self._users)
        self._releases, self._seed = _first(), seed
        self._soiled.clear()
        await self._all_serve()

    async def reconcile(self) -> None:
        """Nothing is cut off or starved, and no standby runs, whoever left it so."""
        leaving, self._leaving = self._leaving, {}
        # Whoever could not be stopped then is stopped or started anew now.
        await asyncio.gather(*leaving.values(), return_exceptions=True)
        await self._chaos.heal()
        running = await self._supervisor.running()
        standbys = {*REPLICAS} - {replica.id for replica in initial_deployment()}
        strays = running & {*map(str, standbys)}
        await asyncio.gather(*(self._supervisor.stop(stray, _GRACE_S) for stray in strays))

    async def start(self, replica: ReplicaId, release: Release) -> None:
        if leaving := self._leaving.pop(replica, None):
            await leaving
        # A fresh process is well until it is impaired anew, and starts at full speed.
        await self._chaos.impair(replica, 0.0, 1.0, IMPAIRMENT_TTL_S)
        self._releases[replica] = release
        self._soiled.discard(replica)
        self._replicas[replica] = await self._supervisor.spawn(str(replica), release, self._seed)

    async def stop(self, replica: ReplicaId) -> None:
        """Out of the mesh at once; it ends what it is at while the window passes."""
        if self._replicas.pop(replica, None):
            goodbye = self._supervisor.stop(str(replica), _GRACE_S)
            self._leaving[replica] = asyncio.create_task(goodbye)

    def soil(self, replica: ReplicaId) -> None:
        """What was done to it does not end with the episode: the next one starts it anew."""
        self._soiled.add(replica)

    async def look(self) -> None:
        await self._supervisor.look(self.lives())

    async def disown_strangers(self) -> None:
        """Marks as dead what others have started anew since the episode began."""
        await self._supervisor.disown(self.lives(), self._seed)

    async def aclose(self) -> None:
        """Leaves the containers as it would like to find them: healed, unused, without users."""
        kept, self._replicas, self._users = self._replicas, {}, None
        if kept:
            await self.reconcile()
            await self._renewed(UNUSED_SEED, kept, None)

    async def _renewed(
        self, seed: int, replicas: Mapping[ReplicaId, Life], users: Life | None
    ) -> tuple[dict[ReplicaId, Life], Life]:
        """The first replicas and the users as an episode of `seed` wants them: these, or others."""
        kept = {i: life for i, life in replicas.items() if i not in self._soiled}
        await self._supervisor.look([*kept.values(), *filter(None, [users])])
        *renewed, users = await asyncio.gather(
            *(self._renew(str(i), kept.get(i), release, seed) for i, release in _first().items()),
            self._renew(USERS, users, Release.CURRENT, seed),
        )
        return dict(zip(_first(), renewed, strict=True)), users

    async def _renew(self, name: str, life: Life | None, release: Release, seed: int) -> Life:
        if life is not None and life.serving is not None:
            with contextlib.suppress(ReplicaUnreachable):
                await self._supervisor.rejoin(life, release, seed)
                return life
        adopted = await self._supervisor.adopt(name, release, seed)
        return adopted or await self._supervisor.spawn(name, release, seed)

    def _not_ready(self, lives: Iterable[Life]) -> MeshNotReady:
        missing = ", ".join(str(life) for life in lives if life.serving is None)
        return MeshNotReady(f"{missing} (docker compose logs tells more)", self._ready_timeout_s)


def _first() -> dict[ReplicaId, Release]:
    return {replica.id: replica.release for replica in initial_deployment()}
