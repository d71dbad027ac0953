"""The simulator backend, which also notes what runs and whether it was closed."""

from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.vocabulary import Release


class WatchedSimulator(SimulatorBackend):
    """Subclasses override what is to fail, to be late or to be logged.

    running: the release of each replica that was started and not stopped since.
    """

    name = "watched"

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[ReplicaId, Release] = {}
        self.closed = False

    async def launch(self, seed: int) -> None:
        await super().launch(seed)
        self.running = {replica.id: replica.release for replica in initial_deployment()}

    async def start(self, replica: ReplicaId, release: Release) -> None:
        await super().start(replica, release)
        self.running[replica] = release

    async def stop(self, replica: ReplicaId) -> None:
        await super().stop(replica)
        del self.running[replica]

    async def aclose(self) -> None:
        await super().aclose()
        self.running.clear()
        self.closed = True
