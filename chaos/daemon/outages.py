"""What outlives a process: replicas off the mesh, or without CPU, for a share of each cycle.

Holds desired states for a time, and heals when it is over, however often it has to ask the broker.
Knows no HTTP, and keeps no file: what it did stands in the engine, where `reap` finds it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chaos.broker_client import BrokerClient, BrokerUnavailable
from chaos.daemon.duty_cycle import Cycle, now_s, persist, set_by
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.shapes import STALL_CYCLE_S
from sre_autopilot.world.stack import REPLICAS, STALLED_CPU_SHARE

PARTITION_CYCLE_S = 0.75
"""Half of a window of the containers' 1.5 s, so that every window holds whole cycles; a connect or
a disconnect takes 30-60 ms, so that it is far longer than those."""
ANSWER_S = 3.0
"""How long a caller waits for a healing that goes on after it."""
CLOSE_S = 2.0

log = logging.getLogger(__name__)


class HealReason(StrEnum):
    """Why a replica was healed: by order, because its time was up, or left by a former life."""

    ASKED = "asked"
    EXPIRED = "expired"
    FOUND = "found"


@dataclass(frozen=True, slots=True)
class Outage:
    """What is wrong with one replica, as in chaos.fault.Impairments: off the mesh for a share of
    each cycle, and running for a fraction of it.
    """

    partitioned: float = 0.0
    cpu_fraction: float = 1.0


NO_OUTAGE = Outage()


@dataclass(slots=True)
class _Hold:
    """One outage, from its order until it is healed: then `task` ends."""

    outage: Outage
    until_s: float
    started: asyncio.Event = field(default_factory=asyncio.Event)
    refused: BrokerUnavailable | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    reason: HealReason = HealReason.ASKED
    begun: list[Cycle] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def renew(self, outage: Outage, until_s: float) -> bool:
        """Lasts until `until_s` at least, if it is that outage and does hold."""
        if self.outage != outage or self.over.is_set() or any(c.failing for c in self.begun):
            return False
        self.until_s = max(self.until_s, until_s)
        return True

    async def last(self) -> None:
        """Waits until it is over, and says so when its time is up."""
        while now_s() < self.until_s:
            if await set_by(self.over, self.until_s):
                return
        self.reason = HealReason.EXPIRED
        self.over.set()


class Outages:
    """The outages of all replicas. Orders for one replica go one after the other."""

    def __init__(self, broker: BrokerClient, healed: Callable[[HealReason], None]) -> None:
        self._broker = broker
        self._healed = healed
        self._holds: dict[ReplicaId, _Hold] = {}
        self._locks = {replica: asyncio.Lock() for replica in REPLICAS}
        self._unseen = set(REPLICAS)

    @property
    def reaped(self) -> bool:
        """Whether nothing is left of a former life."""
        return not self._unseen

    @property
    def holding(self) -> Mapping[ReplicaId, Outage]:
        """What is desired now."""
        return {r: h.outage for r, h in self._holds.items() if not h.over.is_set()}

    @property
    def impaired(self) -> int:
        """Replicas that are not healed, also where that is desired."""
        return sum(hold.outage != NO_OUTAGE for hold in self._holds.values())

    async def hold(self, replica: ReplicaId, outage: Outage, ttl_s: float) -> None:
        """Returns once `outage` holds at `replica`, for `ttl_s`; NO_OUTAGE heals.

        A renewal goes on with the cycle that runs. Raises BrokerUnavailable; then nothing is
        desired, and whatever took hold is healed as soon as that is possible.
        """
        async with self._locks[replica]:
            until_s = now_s() + ttl_s
            held = self._holds.get(replica)
            if held is not None and held.renew(outage, until_s):
                return
            await self._heal(replica)
            if outage != NO_OUTAGE:
                hold = self._holds[replica] = _Hold(outage, until_s)
                hold.task = asyncio.create_task(self._run(replica, hold))
                await hold.started.wait()
                if hold.refused is not None:
                    raise hold.refused

    async def heal_all(self) -> None:
        """Returns when nothing is impaired. Raises BrokerUnavailable; the healing goes on."""
        everywhere = [self.hold(replica, NO_OUTAGE, 0.0) for replica in list(self._holds)]
        for failed in await asyncio.gather(*everywhere, return_exceptions=True):
            if failed is not None:
                raise failed

    def reap(self) -> None:
        """Begins to heal what a former life left behind. Call it first.

        Orders for a replica wait until it is looked at.
        """
        for replica in REPLICAS:
            hold = self._holds[replica] = _Hold(NO_OUTAGE, 0.0)
            hold.over.set()
            hold.task = asyncio.create_task(self._reap(replica))

    async def aclose(self) -> None:
        """Heals what it can within CLOSE_S; the next life finds the rest."""
        for hold in self._holds.values():
            hold.over.set()
        tasks = [hold.task for hold in self._holds.values() if hold.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._holds:
            log.warning("left as they are: %s", ", ".join(map(str, self._holds)))

    async def _heal(self, replica: ReplicaId) -> None:
        hold = self._holds.get(replica)
        if hold is None or hold.task is None:
            return
        hold.over.set()
        # Orders under way are never cut short: they would take hold after those that heal.
        healed, _ = await asyncio.wait([hold.task], timeout=ANSWER_S)
        if not healed:
            reason = f"not done within {ANSWER_S} s; it goes on"
            raise BrokerUnavailable(f"the healing of {replica}", reason)

    async def _run(self, replica: ReplicaId, hold: _Hold) -> None:
        try:
            for cycle in self._cycles(str(replica), hold.outage):
                hold.begun.append(cycle)
                await cycle.begin()
        except BrokerUnavailable as error:
            hold.refused = error
            hold.over.set()
        hold.started.set()
        if hold.refused is None:
            async with asyncio.TaskGroup() as group:
                group.create_task(hold.last())
                for cycle in hold.begun:
                    group.create_task(cycle.run(hold.over))
        await asyncio.gather(*(cycle.heal() for cycle in hold.begun))
        del self._holds[replica]
        self._healed(hold.reason)

    def _cycles(self, name: str, outage: Outage) -> list[Cycle]:
        broker, cycles = self._broker, list[Cycle]()
        if outage.partitioned > 0.0:
            connection = (lambda: broker.disconnect(name), lambda: broker.connect(name))
            cycles.append(Cycle(outage.partitioned, PARTITION_CYCLE_S, *connection))
        if outage.cpu_fraction < 1.0:
            quota = (lambda: broker.limit(name, STALLED_CPU_SHARE), lambda: broker.limit(name, 1.0))
            cycles.append(Cycle(1.0 - outage.cpu_fraction, STALL_CYCLE_S, *quota))
        return cycles

    async def _reap(self, replica: ReplicaId) -> None:
        found = False

        async def mend() -> None:
            nonlocal found
            state = await self._broker.state(str(replica))
            # More than all its CPU is a start's; a stopped one gets its CPU when it starts.
            starved = state.running and state.cpu_share < 1.0
            found = found or starved or not state.on_mesh
            if not state.on_mesh:
                await self._broker.connect(str(replica))
            if starved:
                await self._broker.limit(str(replica), 1.0)

        await persist(mend)
        self._unseen.discard(replica)
        del self._holds[replica]
        if found:
            log.warning("%s was left impaired, and is healed", replica)
            self._healed(HealReason.FOUND)
