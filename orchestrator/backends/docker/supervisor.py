"""The orchestrator's side of the broker: which containers live, where they serve, how they ended.

Starts and ends containers by the names of their processes; what they are for, it does not know.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterable, Iterator

from chaos.broker_client import BrokerClient, BrokerUnavailable, ContainerState
from orchestrator.backends.live.control_client import ControlPorts, Target
from orchestrator.backends.live.replicas import Life
from orchestrator.errors import ReplicaUnreachable, StackUnavailable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.stack import CONTROL_PORT, DATA_PORT, Part
from sre_autopilot.world.topology import USERS
from sre_autopilot.world.vocabulary import Release

POLL_S = 0.05
_KILLED = 128 + signal.SIGKILL


@contextlib.contextmanager
def broker_errors() -> Iterator[None]:
    """The broker's errors as ours."""
    try:
        yield
    except BrokerUnavailable as error:
        raise StackUnavailable(str(error)) from error


def container_of(name: str) -> str:
    return Part.TRAFFIC if name == USERS else name


class ContainerLife(Life):
    """One life of a container: whoever starts it anew ends it. Nobody reports that; it is asked."""

    def __init__(self, name: str, broker: BrokerClient, started_at: str) -> None:
        super().__init__(name)
        self._broker = broker
        self._started_at = started_at

    async def gone(self, timeout_s: float) -> bool:
        """Waits for its end; False where it outlives the time. Raises StackUnavailable."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while not await self.looked_gone() and loop.time() < until_s:
            await asyncio.sleep(POLL_S)
        return self.exit_code is not None

    async def looked_gone(self) -> bool:
        """Whether it has ended, as the engine says now. Raises StackUnavailable."""
        if self.exit_code is None:
            with broker_errors():
                state = await self._broker.state(container_of(self.name))
            if not state.running or state.started_at != self._started_at:
                self.ended(_KILLED if state.exit_code is None else state.exit_code)
        return self.exit_code is not None


class Supervisor:
    """Moves containers; close it when done, which moves none."""

    def __init__(self, broker: BrokerClient, control: ControlPorts) -> None:
        self._broker = broker
        self._control = control
        self._starting: dict[str, tuple[Life, asyncio.Task[None]]] = {}

    async def spawn(self, name: str, release: Release, seed: int) -> Life:
        """Kills what runs under that name and starts it anew; returns before it serves.

        Raises StackUnavailable.
        """
        await self._give_up(name)
        await self._control.forget(name)
        with broker_errors():
            state = await self._broker.restart(container_of(name))
        life = ContainerLife(name, self._broker, state.started_at)
        starting = self._until_it_serves(life, _target(name, state), release, seed)
        self._starting[name] = life, asyncio.create_task(starting)
        return life

    async def adopt(self, name: str, release: Release, seed: int) -> Life | None:
        """The life of a container that runs and that no episode has had yet; None for another.

        Raises StackUnavailable.
        """
        await self._give_up(name)
        with broker_errors():
            state = await self._broker.state(container_of(name))
            if not state.running or state.control_address is None:
                return None
            life = ContainerLife(name, self._broker, state.started_at)
            target = _target(name, state)
            with contextlib.suppress(ReplicaUnreachable):
                if await self._control.seed(target) == UNUSED_SEED:
                    await self._join(life, target, release, seed)
                    return life
        return None

    async def rejoin(self, life: Life, release: Release, seed: int) -> None:
        """Takes a life over into another episode. Raises ReplicaUnreachable."""
        assert life.target is not None
        await self._control.become(life.target, release, seed)

    async def stop(self, name: str, grace_s: float) -> None:
        """Lets a container end what it is at, for `grace_s`. Raises StackUnavailable."""
        with broker_errors():
            await self._broker.stop(container_of(name), grace_s)

    async def running(self) -> frozenset[str]:
        """Names of the containers that run, of those that may serve. Raises StackUnavailable."""
        with broker_errors():
            listed = await self._broker.containers()
        return frozenset(name for name, runs in listed.items() if runs)

    async def look(self, lives: Iterable[Life]) -> None:
        """Marks those that are dead. Raises StackUnavailable."""
        living = [life for life in lives if isinstance(life, ContainerLife) and life.serving]
        running = await self.running()
        missing = [life for life in living if container_of(life.name) not in running]
        await asyncio.gather(*(life.looked_gone() for life in missing))

    async def disown(self, lives: Iterable[Life], seed: int) -> None:
        """Marks as dead who was started anew by others: it knows nothing of the episode."""
        serving = [(life, target) for life in lives if (target := life.serving)]
        seeds = await asyncio.gather(
            *(self._control.seed(target) for _, target in serving), return_exceptions=True
        )
        for (life, _), told in zip(serving, seeds, strict=True):
            if isinstance(told, int) and told != seed:
                life.ended(_KILLED)

    async def aclose(self) -> None:
        """Idempotent."""
        await asyncio.gather(*(self._give_up(name) for name in tuple(self._starting)))

    async def _give_up(self, name: str) -> None:
        """An earlier start must not tell the next life what the last one should have been."""
        life, starting = self._starting.pop(name, (None, None))
        if life and starting and not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            life.ended(_KILLED)

    async def _until_it_serves(
        self, life: ContainerLife, target: Target, release: Release, seed: int
    ) -> None:
        while life.exit_code is None:
            # Neither a port that is not there yet nor a broker that was killed is the end.
            with contextlib.suppress(ReplicaUnreachable, BrokerUnavailable):
                await self._join(life, target, release, seed)
                return
            with contextlib.suppress(StackUnavailable):
                await life.looked_gone()
            await asyncio.sleep(POLL_S)

    async def _join(self, life: ContainerLife, target: Target, release: Release, seed: int) -> None:
        """Tells it what it is, and ends the CPU that it had for its start."""
        await self._control.become(target, release, seed)
        if life.name != USERS:
            await self._broker.limit(life.name, 1.0)
        life.serves(target)


def _target(name: str, state: ContainerState) -> Target:
    """Where it serves: calls over the mesh, control over the telemetry network."""
    data_url = f"http://{state.mesh_address}:{DATA_PORT}" if state.mesh_address else ""
    return Target(name, data_url, f"http://{state.control_address}:{CONTROL_PORT}")
