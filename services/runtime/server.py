"""One uvicorn server on a bound socket, for a process that has two. Leaves signals alone."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_S = 60
"""Longer than any client keeps an idle connection, so that no call meets a closing one."""
SHUTDOWN_TIMEOUT_S = 1


@dataclass(frozen=True, slots=True)
class Phases:
    """Callbacks of a server: `started` once its port accepts, `stopping` at every tick."""

    started: Callable[[], object]
    stopping: Callable[[], bool]


class PortServer(uvicorn.Server):
    """Serves `app` on `bound` in the running loop until `phases.stopping()`."""

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

    async def on_tick(self, counter: int) -> bool:
        return self._phases.stopping() or await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process decides when both of its servers end."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one."""
    return socket.create_server((host, port), backlog=512)
