"""What stands around the code under test: servers on real ports, and ones that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from services.runtime.app import Runtime
from services.runtime.routing import RoutingTable
from services.runtime.server import Phases, PortServer, bind
from services.runtime.spec import LOOPBACK
from sre_autopilot.world.topology import Service

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """The address of `app`, served in this loop; ends without the pauses of a real shutdown."""
    bound = bind(LOOPBACK, 0)
    server = PortServer(app, bound, Phases(started=bool, stopped=asyncio.Event().wait))
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[bound])
    try:
        yield f"http://{LOOPBACK}:{bound.getsockname()[1]}"
    finally:
        for listener in server.servers:
            listener.close()
        server.hang_up()
        await eventually(lambda: not server.server_state.tasks)
        await server.lifespan.shutdown()


@dataclass
class Callee:
    """A server that answers every request with `answer`; None keeps silent."""

    answer: bytes | None = OK
    hangs_up: bool = False
    requests: list[str] = field(default_factory=list)
    address: str = ""
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        while head := await _read_head(reader):
            self.requests.append(head)
            if self.answer is not None:
                writer.write(self.answer)
            if self.hangs_up:
                break
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Callee"]:
        server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.address = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    def header(self, name: str) -> str:
        """The header of the last request."""
        lines = (line.partition(": ") for line in self.requests[-1].splitlines())
        return next(value for key, _, value in lines if key.lower() == name)


async def _read_head(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""


def route(runtime: Runtime, *addresses: str, to: Service, broken: bool = False) -> None:
    """Gives `runtime` the address of `to`."""
    replicas = {f"{to}-{index}": address for index, address in zip(count(), addresses)}
    table = RoutingTable(
        endpoints={to: replicas}, open_breakers=frozenset({to} if broken else set())
    )
    runtime.routing.replace(table)


async def eventually(holds: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """Returns once `holds`; fails after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        while not holds():
            await asyncio.sleep(0)


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """The value of one series; 0 where it does not exist yet."""
    return registry.get_sample_value(name, labels) or 0.0
