"""Where one worker stands among those of its server, as the application in it needs to know."""

import zlib
from dataclasses import dataclass

from server.workers.shared_memory import SharedMemory
from services.runtime.spec import LOOPBACK

TOKEN_HEADER, CLIENT_HEADER = "x-sre-worker-token", "x-sre-worker-client"
"""Of a request that one worker passed on to another: the server's token, its client's address."""
METRICS_PATH, PID_HEADER = "/worker-metrics", "x-sre-worker-pid"
"""For whoever has the token: the supervisor."""


@dataclass(frozen=True)
class Place:
    """Worker `number` of as many as there are `ports`.

    ports: on the loopback interface, by worker: where the others reach it.
    """

    number: int
    ports: tuple[int, ...]
    memory: SharedMemory

    def home(self, name: str) -> int:
        """The worker in which the session of this name lives, or would begin.

        Two workers never begin the same name: each new name has one home (its CRC-32).
        """
        owner = self.memory.owner(name)
        drawn = zlib.crc32(name.encode("utf-8", "replace")) % len(self.ports)
        return drawn if owner is None else owner

    def url(self, worker: int) -> str:
        return f"http://{LOOPBACK}:{self.ports[worker]}"

    def take(self, name: str) -> bool:
        """Whether there is room for a new session in all workers together; it then has its row."""
        return self.memory.take(self.number, name)

    def release(self, name: str) -> None:
        self.memory.release(self.number, name)
