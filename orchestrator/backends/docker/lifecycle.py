"""Starts, kills and counts the replicas as containers. Knows where each one serves; calls none."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping

from orchestrator.backends.docker.chaos_client import ChaosClient
from orchestrator.backends.docker.supervisor import Supervisor, container_of, has_moved
from orchestrator.backends.live.replicas import ReplicaHandle, ReplicaSet
from orchestrator.errors import BackendUnhealthy, MeshNotReady, ReplicaUnreachable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.stack import REPLICAS, Part
from sre_autopilot.world.topology import CALL_TIMEOUT_S, USERS
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, Release

READY_TIMEOUT_S = 60.0
"""For all of them at once, on a machine that is busy."""
MEND_TIMEOUT_S = 10.0
"""For all that is verified before an episode: it takes a second, and longer where the chaos app or
a broker is just being restarted."""
ORDERED_FROM = (Part.BROKER, Part.BROKER_STANDBY, Part.CHAOS)
_GRACE_S = 4 * CALL_TIMEOUT_S
"""A stopped replica may answer the calls that it has (callers wait one time-out) and shut down."""


log = logging.getLogger(__name__)


class DockerLifecycle(ReplicaSet):
    """One container a replica, and one that sends the users' requests.

    Containers are kept between episodes. A replica is dirty when an impairment left something in
    it that no message undoes (leaked memory); a dirty one is restarted before the next episode.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        chaos: ChaosClient,
        *,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        super().__init__(ready_timeout_s)
        self._supervisor = supervisor
        self._chaos = chaos
        self._dirty: set[ReplicaId] = set()

    async def launch(self, seed: int) -> None:
        """Keeps the containers that are clean and gives them the seed of the new episode."""
        await self._mend()
        self._replicas, self._users = await self._renew_all(seed, self._replicas, self._users)
        self._releases, self._seed = _first_releases(), seed
        self._dirty.clear()
        await self._all_serve()

    async def reconcile(self) -> None:
        """Mends every container and stops the standbys; those that had an episode start anew.

        Needs no episode, and leaves nothing to wait for to the first one. Raises BackendError.
        """
        await self._mend()
        await self._supervisor.wait_answering(
            [*map(str, _first_releases()), USERS], self._ready_timeout_s
        )
        replicas, users = await self._renew_all(UNUSED_SEED, {}, None)
        await self._wait_settled([*replicas.values(), users])

    async def _mend(self) -> None:
        """Ends outages, undoes what others changed and stops the standbys.

        Raises BackendUnhealthy where something cannot be undone within MEND_TIMEOUT_S.
        """
        stopping, self._stopping = self._stopping, {}
        # A stop that failed is made up for here: standbys are stopped, first replicas renewed.
        await asyncio.gather(*stopping.values(), return_exceptions=True)
        try:
            async with asyncio.timeout(MEND_TIMEOUT_S):
                _check_images(await self._supervisor.images())
                await asyncio.gather(*map(self._repair, ORDERED_FROM))
                await self._chaos.heal()
                await asyncio.gather(*map(self._repair, (*map(str, REPLICAS), USERS)))
        except TimeoutError:
            late = f"brokers, chaos and containers did not answer within {MEND_TIMEOUT_S:g} s"
            raise BackendUnhealthy(f"{late} (docker compose ps)") from None
        running = await self._supervisor.running()
        standbys = {*map(str, REPLICAS)} - {*map(str, _first_releases())}
        strays = running & standbys
        await asyncio.gather(*(self._supervisor.stop(stray, _GRACE_S) for stray in strays))

    async def _repair(self, name: str) -> None:
        """One that got another address by it starts anew before the next episode."""
        state = await self._supervisor.repair(name)
        if state.repaired:
            log.warning("repaired %s: %s", name, "; ".join(state.repaired))
        for handle in self.handles():
            if handle.name == name and has_moved(handle, state):
                self._dirty.update(replica for replica in REPLICAS if str(replica) == name)
                self._users = None if handle is self._users else self._users

    async def check(self) -> None:
        """Raises BackendError where no broker can list the containers, or one that an episode
        begins with does not run.
        """
        needed = {container_of(name) for name in (*map(str, _first_releases()), USERS)}
        if down := sorted(needed - await self._supervisor.running()):
            raise BackendUnhealthy(f"{', '.join(down)} does not run")

    async def start(self, replica: ReplicaId, release: Release) -> None:
        await self._stopped(replica)
        # Outages belong to the container: a fresh process must start healed and at full speed.
        await self._chaos.impair(replica, 0.0, 1.0, IMPAIRMENT_TTL_S)
        self._releases[replica] = release
        self._dirty.discard(replica)
        self._replicas[replica] = await self._supervisor.spawn(str(replica), release, self._seed)

    async def stop(self, replica: ReplicaId) -> None:
        """Takes it out of the mesh at once; it finishes its calls while the window passes."""
        if self._replicas.pop(replica, None):
            self._stop_in_background(replica, self._supervisor.stop(str(replica), _GRACE_S))

    def mark_dirty(self, replica: ReplicaId) -> None:
        """An impairment left something in it that does not end with the episode."""
        self._dirty.add(replica)

    async def refresh(self) -> None:
        await self._supervisor.refresh(self.handles())

    async def mark_restarted_externally(self) -> None:
        """Marks as exited the replicas restarted externally since the episode began."""
        await self._supervisor.mark_restarted_externally(self.handles(), self._seed)

    async def aclose(self) -> None:
        """Leaves the containers healed, without an episode and without traffic."""
        kept, self._replicas, self._users = self._replicas, {}, None
        if kept:
            await self._mend()
            await self._renew_all(UNUSED_SEED, kept, None)

    async def _renew_all(
        self,
        seed: int,
        replicas: Mapping[ReplicaId, ReplicaHandle],
        users: ReplicaHandle | None,
    ) -> tuple[dict[ReplicaId, ReplicaHandle], ReplicaHandle]:
        """Handles of the first replicas and the users for an episode of `seed`, kept where clean.

        The users' container is restarted where `users` is None and it has had an episode.
        """
        clean = {i: handle for i, handle in replicas.items() if i not in self._dirty}
        await self._supervisor.refresh([*clean.values(), *filter(None, [users])])
        first = _first_releases()
        *renewed, users = await asyncio.gather(
            *(self._renew(str(i), clean.get(i), release, seed) for i, release in first.items()),
            self._renew(USERS, users, Release.CURRENT, seed),
        )
        return dict(zip(first, renewed, strict=True)), users

    async def _renew(
        self, name: str, handle: ReplicaHandle | None, release: Release, seed: int
    ) -> ReplicaHandle:
        """The same run with its new episode; or a container that is unused; or a fresh start."""
        if handle is not None and handle.serving is not None:
            with contextlib.suppress(ReplicaUnreachable):
                await self._supervisor.reassign(handle, release, seed)
                return handle
        unused = await self._supervisor.adopt_unused(name, release, seed)
        return unused or await self._supervisor.spawn(name, release, seed)

    def _not_ready(self, handles: Iterable[ReplicaHandle]) -> MeshNotReady:
        missing = ", ".join(str(handle) for handle in handles if handle.serving is None)
        return MeshNotReady(f"{missing} (see docker compose logs)", self._ready_timeout_s)


def _first_releases() -> dict[ReplicaId, Release]:
    """Replica 0 of each service and its release, as each episode begins."""
    return {replica.id: replica.release for replica in initial_deployment()}


def _check_images(images: Mapping[str, str]) -> None:
    """Raises BackendUnhealthy where the mesh's containers are not all made of the same image."""
    of_mesh = {name: images[name] for name in (*map(str, REPLICAS), container_of(USERS))}
    (usual, _), *others = Counter(of_mesh.values()).most_common()
    if others:
        odd = ", ".join(name for name, image in of_mesh.items() if image != usual)
        raise BackendUnhealthy(
            f"{odd} runs another image than the rest of the mesh: make down, make up"
        )
