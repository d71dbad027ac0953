"""The orchestrator's side of the broker: which containers run, where they serve, how they exited.

Starts and stops containers by the names of their processes; does not know what they serve.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping

from chaos.broker_client import BrokerClient, BrokerUnavailable, ContainerState
from orchestrator.backends.live.control_client import ControlClient, Target
from orchestrator.backends.live.replicas import KILLED_EXIT_CODE, ReplicaHandle
from orchestrator.errors import BackendUnhealthy, ReplicaUnreachable, StackUnavailable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.stack import CONTROL_PORT, DATA_PORT, Part
from sre_autopilot.world.topology import USERS
from sre_autopilot.world.vocabulary import Release

POLL_S = 0.05
RESTARTS_AT_ONCE = 3
"""An engine that restarts a whole mesh at once on two busy cores may not answer in time."""


@contextlib.contextmanager
def broker_errors() -> Iterator[None]:
    """Raises the broker client's errors as StackUnavailable."""
    try:
        yield
    except BrokerUnavailable as error:
        raise StackUnavailable(str(error)) from error


def container_of(name: str) -> str:
    """Name of the container that the process `name` runs in."""
    return Part.TRAFFIC if name == USERS else name


class ContainerHandle(ReplicaHandle):
    """One run of a container, ended by any restart. Exits are polled: the engine reports none."""

    def __init__(self, name: str, broker: BrokerClient, started_at: str) -> None:
        super().__init__(name)
        self._broker = broker
        self._started_at = started_at

    async def wait_exited(self, timeout_s: float) -> bool:
        """Whether it exits within `timeout_s`. Raises StackUnavailable."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while not await self.check_exited() and loop.time() < until_s:
            await asyncio.sleep(POLL_S)
        return self.exit_code is not None

    async def check_exited(self) -> bool:
        """Whether it has exited, as the engine says now. Raises StackUnavailable."""
        if self.exit_code is None:
            with broker_errors():
                state = await self._broker.state(container_of(self.name))
            if not state.running or state.started_at != self._started_at:
                self.mark_exited(KILLED_EXIT_CODE if state.exit_code is None else state.exit_code)
        return self.exit_code is not None


class Supervisor:
    """Starts and stops containers through the broker. Closing it stops none."""

    def __init__(self, broker: BrokerClient, control: ControlClient) -> None:
        self._broker = broker
        self._control = control
        self._restarts = asyncio.Semaphore(RESTARTS_AT_ONCE)
        self._starting: dict[str, tuple[ReplicaHandle, asyncio.Task[None]]] = {}

    async def spawn(self, name: str, release: Release, seed: int) -> ReplicaHandle:
        """Kills what runs under that name and starts it again; returns before it serves.

        Raises StackUnavailable.
        """
        await self._cancel_start(name)
        await self._control.drop_connections(name)
        with broker_errors():
            async with self._restarts:
                state = await self._broker.restart(container_of(name))
        handle = ContainerHandle(name, self._broker, state.started_at)
        starting = self._assign_when_up(handle, _target(name, state), release, seed)
        self._starting[name] = handle, asyncio.create_task(starting)
        return handle

    async def adopt_unused(self, name: str, release: Release, seed: int) -> ReplicaHandle | None:
        """A container that runs and has had no episode yet, assigned; None where there is none.

        Raises StackUnavailable.
        """
        await self._cancel_start(name)
        with broker_errors():
            state = await self._broker.state(container_of(name))
            if not state.running or state.control_address is None:
                return None
            handle = ContainerHandle(name, self._broker, state.started_at)
            target = _target(name, state)
            with contextlib.suppress(ReplicaUnreachable):
                if await self._control.seed(target) == UNUSED_SEED:
                    await self._assign(handle, target, release, seed)
                    return handle
        return None

    async def wait_answering(self, names: Iterable[str], timeout_s: float) -> None:
        """Waits until each of these that runs answers, for at most `timeout_s`: one that has just
        been started is no reason to start it again. Raises StackUnavailable.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.gather(*map(self._wait_answering, names))

    async def reassign(self, handle: ReplicaHandle, release: Release, seed: int) -> None:
        """Moves a run that serves into another episode. Raises ReplicaUnreachable."""
        assert handle.target is not None
        await self._control.assign(handle.target, release, seed)

    async def stop(self, name: str, grace_s: float) -> None:
        """Kills a container that does not finish within `grace_s`. Raises StackUnavailable."""
        with broker_errors():
            await self._broker.stop(container_of(name), grace_s)

    async def running(self) -> frozenset[str]:
        """Names of the containers that run, of those that may serve. Raises StackUnavailable."""
        with broker_errors():
            listed = await self._broker.containers()
        return frozenset(name for name, container in listed.items() if container.running)

    async def images(self) -> Mapping[str, str]:
        """The engine's id of the image of each container. Raises StackUnavailable."""
        with broker_errors():
            listed = await self._broker.containers()
        return {name: container.image for name, container in listed.items()}

    async def repair(self, name: str) -> ContainerState:
        """Its state, with what had to be mended. Raises BackendUnhealthy where it could not."""
        try:
            return await self._broker.repair(container_of(name))
        except BrokerUnavailable as error:
            what = f"{container_of(name)} cannot be repaired: {error.reason}"
            raise BackendUnhealthy(what) from error

    async def refresh(self, handles: Iterable[ReplicaHandle]) -> None:
        """Marks those that have exited. Raises StackUnavailable."""
        serving = [h for h in handles if isinstance(h, ContainerHandle) and h.serving]
        running = await self.running()
        missing = [handle for handle in serving if container_of(handle.name) not in running]
        await asyncio.gather(*(handle.check_exited() for handle in missing))

    async def mark_restarted_externally(self, handles: Iterable[ReplicaHandle], seed: int) -> None:
        """Marks as exited those whose process has not the episode's seed.

        It was restarted externally, and knows neither its release nor its callees.
        """
        serving = [(handle, target) for handle in handles if (target := handle.serving)]
        seeds = await asyncio.gather(
            *(self._control.seed(target) for _, target in serving), return_exceptions=True
        )
        for (handle, _), own_seed in zip(serving, seeds, strict=True):
            if isinstance(own_seed, int) and own_seed != seed:
                handle.mark_exited(KILLED_EXIT_CODE)

    async def _wait_answering(self, name: str) -> None:
        while True:
            with broker_errors():
                state = await self._broker.state(container_of(name))
            if not state.running or state.control_address is None:
                return
            with contextlib.suppress(ReplicaUnreachable):
                await self._control.seed(_target(name, state))
                return
            await asyncio.sleep(POLL_S)

    async def aclose(self) -> None:
        """Idempotent."""
        await asyncio.gather(*(self._cancel_start(name) for name in tuple(self._starting)))

    async def _cancel_start(self, name: str) -> None:
        """Ends an earlier start, which would assign its own release to the next run."""
        handle, starting = self._starting.pop(name, (None, None))
        if handle and starting and not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
            handle.mark_exited(KILLED_EXIT_CODE)

    async def _assign_when_up(
        self, handle: ContainerHandle, target: Target, release: Release, seed: int
    ) -> None:
        while handle.exit_code is None:
            # Retried while the port is not open yet, and while a killed broker is brought back.
            with contextlib.suppress(ReplicaUnreachable, BrokerUnavailable):
                await self._assign(handle, target, release, seed)
                return
            with contextlib.suppress(StackUnavailable):
                await handle.check_exited()
            await asyncio.sleep(POLL_S)

    async def _assign(
        self, handle: ContainerHandle, target: Target, release: Release, seed: int
    ) -> None:
        """Gives a process its release and seed, and takes back the extra CPU of its start."""
        await self._control.assign(target, release, seed)
        if handle.name != USERS:
            await self._broker.limit(handle.name, 1.0)
        handle.mark_serving(target)


def _target(name: str, state: ContainerState) -> Target:
    """Where it serves: calls over the mesh, control over the telemetry network."""
    data_url = f"http://{state.mesh_address}:{DATA_PORT}" if state.mesh_address else ""
    return Target(name, data_url, f"http://{state.control_address}:{CONTROL_PORT}")


def has_moved(handle: ReplicaHandle, state: ContainerState) -> bool:
    """Whether a run that serves is at another address on the telemetry network by now."""
    serving = handle.serving if state.running else None
    return serving is not None and serving.control_url != _target(handle.name, state).control_url
