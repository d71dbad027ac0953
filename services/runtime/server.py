"""One uvicorn server on a bound socket, for a process that has two. Leaves signals alone."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_S = 60
"""Longer than any client keeps an idle connection, so that no call meets a closing one."""


class PortServer(uvicorn.Server):
    """Serves `app` until `should_exit`; `on_started` is called once the port accepts."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, on_started: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http="httptools",
                ws="none",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                log_level="warning",
                log_config=None,
                timeout_keep_alive=KEEP_ALIVE_S,
            )
        )
        self._bound = bound
        self._on_started = on_started

    async def run_until_exit(self) -> None:
        await self.serve(sockets=[self._bound])

    def hang_up(self) -> None:
        """Ends the calls that would not end by themselves: those met with silence, open cursors."""
        for connection in tuple(self.server_state.connections):
            connection.transport.close()
        self.force_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process decides when both of its servers end."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one."""
    return socket.create_server((host, port), backlog=512)
