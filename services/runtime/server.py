"""One uvicorn server on a bound socket, for a process that has two. Leaves signals alone."""

import asyncio
import concurrent.futures
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_S = 60
"""Longer than any client keeps an idle connection, so that no call meets a closing one."""
SHUTDOWN_TIMEOUT_S = 1


class Stop:
    """The order to stop: set from any thread, awaited in any loop."""

    def __init__(self) -> None:
        self._ordered = concurrent.futures.Future[None]()

    def set(self) -> None:
        """Idempotent."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self._ordered.set_result(None)

    async def wait(self) -> None:
        await asyncio.shield(asyncio.wrap_future(self._ordered))


@dataclass(frozen=True, slots=True)
class Phases:
    """`started` is called once the port accepts; the server stops when `stopped` returns."""

    started: Callable[[], object]
    stopped: Callable[[], Awaitable[object]]


class PortServer(uvicorn.Server):
    """Serves `app` on `bound` in the running loop until `phases.stopped()` returns."""

    def __init__(self, app: ASGIApp, bound: socket.socket, phases: Phases) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                access_log=False,
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
            )
        )
        self._bound = bound
        self._phases = phases

    async def serve_bound(self) -> None:
        await self.serve(sockets=[self._bound])

    def hang_up(self) -> None:
        """Ends calls that do not end by themselves: silenced ones and open cursors."""
        for connection in tuple(self.server_state.connections):
            connection.transport.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._phases.started()

    async def main_loop(self) -> None:
        """Without uvicorn's ten ticks a second, which cost a mesh as much as a service."""
        await self._phases.stopped()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process decides when both of its servers end."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one, another may be bound by this user already."""
    return socket.create_server((host, port), backlog=512, reuse_port=True)
