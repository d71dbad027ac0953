"""Outages over a fake broker, on a clock that jumps: minutes take no time, shares are exact."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from itertools import pairwise

from chaos.daemon.outages import (
    PARTITION_CYCLE_S,
    HealReason,
    Outage,
    Outages,
)
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import BrokerVerb
from sre_autopilot.world.topology import Service
from tests.chaos.fake_broker import Done, FakeBroker

ONE, OTHER = ReplicaId(Service.USER_DB, 0), ReplicaId(Service.PAYMENT_GATEWAY, 0)
NAME = str(ONE)
CUT, HALF, STALL = Outage(1.0), Outage(0.5), Outage(0.0, 0.2)
CONNECTION = (BrokerVerb.CONNECT, BrokerVerb.DISCONNECT)
TTL_S = 4 * PARTITION_CYCLE_S
LONG_S = 600.0
CALL_S, QUOTA_CALL_S = 0.05, 0.014


class World:
    """Outages over a fake broker, and why they healed."""

    def __init__(self) -> None:
        self.broker = FakeBroker(takes_s=CALL_S)
        self.healed: Counter[HealReason] = Counter()
        self.outages = self.new_daemon()

    def new_daemon(self) -> Outages:
        return Outages(self.broker.client, lambda reason: self.healed.update([reason]))

    @property
    def ill(self) -> set[str]:
        """Replicas that are not as they should be."""
        states = self.broker.states.items()
        return {name for name, s in states if not s.on_mesh or s.cpu_share != 1.0}


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def passes(time_s: float) -> None:
    await asyncio.sleep(time_s)


async def took_s(call: Awaitable[object]) -> float:
    begun_s = now_s()
    await call
    return now_s() - begun_s


def share_impaired(orders: list[Done], cycles: int, length_s: float) -> float:
    """Of the first so many cycles; the orders alternate, and begin with one that impairs."""
    impaired_s = sum(
        mends.at_s - impairs.at_s for impairs, mends in list(pairwise(orders))[0 : 2 * cycles : 2]
    )
    return impaired_s / (cycles * length_s)
