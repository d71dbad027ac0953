"""Ports of a mesh that stay its own when the process that served them has died.

Callers go on calling a dead replica until the window ends, with the mesh's token. Whoever bound its
port meanwhile would read the token, and could answer in its place.
"""

import socket
from collections import deque

MOST = 128
"""Sockets that are held: those of all processes that one episode starts, and more."""


class HeldPorts:
    """Bound and never listening, so that a call to a dead process is refused as before.

    A process of this user can serve on such a port, since both ask for SO_REUSEPORT; another user
    cannot (socket(7)), and none can without it.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._held: deque[socket.socket] = deque()

    def take(self) -> int:
        """A free port, held from now on. Raises OSError."""
        if len(self._held) == MOST:
            self._held.popleft().close()
        held = socket.socket()
        self._held.append(held)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((self._host, 0))
        port: int = held.getsockname()[1]
        return port

    def close(self) -> None:
        """Idempotent."""
        while self._held:
            self._held.pop().close()
