"""Outages of containers: off the mesh, or without CPU, for a share of each cycle.

Applies each for a limited time and then heals it, however often that has to be ordered. Knows no
HTTP and keeps no file: the state of the containers stands in the engine, where `reap` reads it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from chaos.broker_client import BrokerClient, BrokerUnavailable
from chaos.daemon.duty_cycle import Cycle, now_s, repeat_until_done, set_by
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.shapes import STALL_CYCLE_S
from sre_autopilot.world.stack import REPLICAS, STALLED_CPU_SHARE

PARTITION_CYCLE_S = 0.75
"""Half of a window of the containers' 1.5 s, so that every window holds whole cycles; a connect or
a disconnect takes 30-60 ms, so that it is far longer than those."""
ANSWER_S = 3.0
"""How long a caller waits for a healing; that continues after the caller has given up."""
CLOSE_S = 2.0

log = logging.getLogger(__name__)


class HealReason(StrEnum):
    """Why a replica was healed: by order, at the end of its time, or left by an earlier daemon."""

    ASKED = "asked"
    EXPIRED = "expired"
    LEFT_OVER = "found"


@dataclass(frozen=True, slots=True)
class Outage:
    """One replica's outage, as in chaos.fault.Impairments.

    partitioned: share of each PARTITION_CYCLE_S that it is off the mesh, 0..1.
    cpu_fraction: share of each STALL_CYCLE_S that it has its CPU, (0, 1].
    """

    partitioned: float = 0.0
    cpu_fraction: float = 1.0


NO_OUTAGE = Outage()


@dataclass(slots=True)
class _ActiveOutage:
    """One outage from its order until it is healed, when `task` ends."""

    outage: Outage
    until_s: float
    started: asyncio.Event = field(default_factory=asyncio.Event)
    refused: BrokerUnavailable | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    reason: HealReason = HealReason.ASKED
    begun: list[Cycle] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    def renew(self, outage: Outage, until_s: float) -> bool:
        """Prolongs it to `until_s` if it is that outage and in force; whether it did."""
        if self.outage != outage or self.over.is_set() or any(c.failing for c in self.begun):
            return False
        self.until_s = max(self.until_s, until_s)
        return True

    async def expire(self) -> None:
        """Waits until it is over; ends it when its time is up."""
        while now_s() < self.until_s:
            if await set_by(self.over, self.until_s):
                return
        self.reason = HealReason.EXPIRED
        self.over.set()


class Outages:
    """The outages of all replicas. Orders for one replica are carried out one after the other."""

    def __init__(self, broker: BrokerClient, healed: Callable[[HealReason], None]) -> None:
        self._broker = broker
        self._healed = healed
        self._active: dict[ReplicaId, _ActiveOutage] = {}
        self._locks = {replica: asyncio.Lock() for replica in REPLICAS}
        self._unchecked = set(REPLICAS)

    @property
    def reaped(self) -> bool:
        """Whether all that an earlier daemon left behind is healed."""
        return not self._unchecked

    @property
    def applied(self) -> Mapping[ReplicaId, Outage]:
        """The outages that are ordered and not over."""
        return {r: h.outage for r, h in self._active.items() if not h.over.is_set()}

    @property
    def impaired(self) -> int:
        """Number of replicas in an outage, those included whose healing is not done yet."""
        return sum(active.outage != NO_OUTAGE for active in self._active.values())

    async def apply(self, replica: ReplicaId, outage: Outage, ttl_s: float) -> None:
        """Returns once `outage` is in force at `replica`, for `ttl_s`; NO_OUTAGE heals.

        Ordering the same outage again prolongs it without a new cycle. Raises BrokerUnavailable;
        then the outage is dropped, and what is in force of it is healed as soon as possible.
        """
        async with self._locks[replica]:
            until_s = now_s() + ttl_s
            running = self._active.get(replica)
            if running is not None and running.renew(outage, until_s):
                return
            await self._heal(replica)
            if outage != NO_OUTAGE:
                active = self._active[replica] = _ActiveOutage(outage, until_s)
                active.task = asyncio.create_task(self._run(replica, active))
                await active.started.wait()
                if active.refused is not None:
                    raise active.refused

    async def heal_all(self) -> None:
        """Returns when all are healed. Raises BrokerUnavailable; the healing continues."""
        everywhere = [self.apply(replica, NO_OUTAGE, 0.0) for replica in list(self._active)]
        for failed in await asyncio.gather(*everywhere, return_exceptions=True):
            if failed is not None:
                raise failed

    def reap(self) -> None:
        """Starts to heal what an earlier daemon left behind. Call it before all else.

        An order for a replica waits until that replica is checked.
        """
        for replica in REPLICAS:
            active = self._active[replica] = _ActiveOutage(NO_OUTAGE, 0.0)
            active.over.set()
            active.task = asyncio.create_task(self._reap(replica))

    async def aclose(self) -> None:
        """Heals what it can within CLOSE_S; the next daemon reaps the rest."""
        for active in self._active.values():
            active.over.set()
        tasks = [active.task for active in self._active.values() if active.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._active:
            log.warning("left impaired: %s", ", ".join(map(str, self._active)))

    async def _heal(self, replica: ReplicaId) -> None:
        active = self._active.get(replica)
        if active is None or active.task is None:
            return
        active.over.set()
        # A running order is never cancelled: the engine might carry it out after the healing.
        healed, _ = await asyncio.wait([active.task], timeout=ANSWER_S)
        if not healed:
            reason = f"not done within {ANSWER_S} s; it continues"
            raise BrokerUnavailable(f"the healing of {replica}", reason)

    async def _run(self, replica: ReplicaId, active: _ActiveOutage) -> None:
        try:
            for cycle in self._cycles(str(replica), active.outage):
                active.begun.append(cycle)
                await cycle.begin()
        except BrokerUnavailable as error:
            active.refused = error
            active.over.set()
        active.started.set()
        if active.refused is None:
            async with asyncio.TaskGroup() as group:
                group.create_task(active.expire())
                for cycle in active.begun:
                    group.create_task(cycle.run(active.over))
        await asyncio.gather(*(cycle.heal() for cycle in active.begun))
        del self._active[replica]
        self._healed(active.reason)

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
        impaired = False

        async def mend() -> None:
            nonlocal impaired
            state = await self._broker.state(str(replica))
            # A stopped replica gets its CPU at its start. A starting one has more than its share,
            # and keeps it if the orchestrator was killed; else its start only takes longer.
            wrong_cpu = state.running and state.cpu_share != 1.0
            impaired = impaired or wrong_cpu or not state.on_mesh
            if not state.on_mesh:
                await self._broker.connect(str(replica))
            if wrong_cpu:
                await self._broker.limit(str(replica), 1.0)

        await repeat_until_done(mend)
        self._unchecked.discard(replica)
        del self._active[replica]
        if impaired:
            log.warning("%s was left impaired and is healed", replica)
            self._healed(HealReason.LEFT_OVER)
