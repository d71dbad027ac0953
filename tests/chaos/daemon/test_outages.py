"""Outages hold their share of the time, for their time, and leave nothing behind.

The clock jumps, so that minutes take no time and shares come out exactly.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from itertools import pairwise

import pytest

from chaos.broker_client import BrokerUnavailable
from chaos.daemon.duty_cycle import RETRY_S
from chaos.daemon.outages import (
    ANSWER_S,
    CLOSE_S,
    NO_OUTAGE,
    PARTITION_CYCLE_S,
    HealReason,
    Outage,
    Outages,
)
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.shapes import STALL_CYCLE_S
from sre_autopilot.world.stack import REPLICAS, STALLED_CPU_SHARE, STARTING_CPU_CORES, BrokerVerb
from sre_autopilot.world.topology import LIMITS, Service
from tests.chaos.fake_broker import Done, FakeBroker, JumpingLoop

pytestmark = pytest.mark.anyio

ONE, OTHER = ReplicaId(Service.USER_DB, 0), ReplicaId(Service.PAYMENT_GATEWAY, 0)
NAME = str(ONE)
CUT, HALF, STALL = Outage(1.0), Outage(0.5), Outage(0.0, 0.2)
CONNECTION = (BrokerVerb.CONNECT, BrokerVerb.DISCONNECT)
TTL_S = 4 * PARTITION_CYCLE_S
LONG_S = 600.0
CALL_S, QUOTA_CALL_S = 0.05, 0.014


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": JumpingLoop}


class World:
    """Outages over a fake broker, and why they healed."""

    def __init__(self) -> None:
        self.broker = FakeBroker(takes_s=CALL_S)
        self.healed: Counter[HealReason] = Counter()
        self.outages = self.another_life()

    def another_life(self) -> Outages:
        return Outages(self.broker.client, lambda reason: self.healed.update([reason]))

    @property
    def ill(self) -> set[str]:
        """Replicas that are not as they should be."""
        states = self.broker.states.items()
        return {name for name, s in states if not s.on_mesh or s.cpu_share != 1.0}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    world.broker.down, world.broker.refuses = False, frozenset()
    await world.outages.aclose()
    assert not world.ill
    assert not world.outages.impaired


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


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.85])
async def test_a_partition_takes_its_share_of_every_cycle(world: World, share: float) -> None:
    await world.outages.apply(ONE, Outage(share), LONG_S)
    assert not world.broker.states[NAME].on_mesh
    await passes(100 * PARTITION_CYCLE_S)
    orders = world.broker.orders(NAME)
    assert [o.verb for o in orders[:4]] == [*reversed(CONNECTION), *reversed(CONNECTION)]
    assert share_impaired(orders, 90, PARTITION_CYCLE_S) == pytest.approx(share)
    begun = [o.at_s for o in world.broker.orders(NAME, BrokerVerb.DISCONNECT)]
    assert begun[90] - begun[0] == pytest.approx(90 * PARTITION_CYCLE_S)


@pytest.mark.parametrize("fraction", [0.07, 0.5, 0.9])
async def test_a_stall_takes_what_the_fraction_leaves(world: World, fraction: float) -> None:
    world.broker.takes_s = QUOTA_CALL_S
    await world.outages.apply(ONE, Outage(0.0, fraction), LONG_S)
    assert world.broker.states[NAME].cpu_share == STALLED_CPU_SHARE
    await passes(100 * STALL_CYCLE_S)
    orders = world.broker.orders(NAME)
    assert [o.cpu_share for o in orders[:4]] == [STALLED_CPU_SHARE, 1.0, STALLED_CPU_SHARE, 1.0]
    assert share_impaired(orders, 90, STALL_CYCLE_S) == pytest.approx(1.0 - fraction)


async def test_a_whole_partition_never_lets_go(world: World) -> None:
    await world.outages.apply(ONE, CUT, LONG_S)
    await passes(20 * PARTITION_CYCLE_S)
    assert not world.broker.orders(NAME, BrokerVerb.CONNECT)


async def test_a_whole_partition_takes_back_what_another_connected(world: World) -> None:
    await world.outages.apply(ONE, CUT, LONG_S)
    world.broker.left(NAME, on_mesh=True)
    await passes(PARTITION_CYCLE_S + 2 * CALL_S)
    assert not world.broker.states[NAME].on_mesh


async def test_both_may_hold_at_one_replica(world: World) -> None:
    await world.outages.apply(ONE, Outage(0.4, 0.3), LONG_S)
    assert not world.broker.states[NAME].on_mesh
    assert world.broker.states[NAME].cpu_share == STALLED_CPU_SHARE
    await passes(60.0)
    partition = world.broker.orders(NAME, *CONNECTION)
    stall = world.broker.orders(NAME, BrokerVerb.LIMIT)
    assert share_impaired(partition, 60, PARTITION_CYCLE_S) == pytest.approx(0.4)
    assert share_impaired(stall, 60, STALL_CYCLE_S) == pytest.approx(0.7)
    await world.outages.apply(ONE, NO_OUTAGE, LONG_S)
    assert not world.ill
    assert world.healed == {HealReason.ASKED: 1}


async def test_two_replicas_have_nothing_to_do_with_each_other(world: World) -> None:
    await asyncio.gather(
        world.outages.apply(ONE, CUT, LONG_S), world.outages.apply(OTHER, STALL, TTL_S)
    )
    assert world.outages.applied == {ONE: CUT, OTHER: STALL}
    assert world.outages.impaired == 2
    await passes(TTL_S + 2 * CALL_S)
    assert world.outages.applied == {ONE: CUT}
    assert world.ill == {NAME}
    assert not world.broker.orders(NAME, BrokerVerb.LIMIT)
    assert not world.broker.orders(str(OTHER), *CONNECTION)


@pytest.mark.parametrize("outage", [CUT, HALF, STALL, Outage(0.5, 0.5)])
async def test_an_outage_ends_by_itself_when_its_time_is_up(world: World, outage: Outage) -> None:
    await world.outages.apply(ONE, outage, TTL_S)
    await passes(TTL_S + 4 * CALL_S)
    assert not world.ill
    assert not world.outages.applied
    assert world.healed == {HealReason.EXPIRED: 1}
    orders = len(world.broker.done)
    await passes(LONG_S)
    assert len(world.broker.done) == orders


async def test_a_renewal_goes_on_with_the_cycle_and_lasts_longer(world: World) -> None:
    await world.outages.apply(ONE, HALF, TTL_S)
    for _ in range(20):  # at another time of the cycle each
        await passes(0.31 * PARTITION_CYCLE_S)
        assert await took_s(world.outages.apply(ONE, HALF, TTL_S)) == 0.0
    await passes(0.9 * TTL_S)
    assert world.outages.applied == {ONE: HALF}
    begun = [o.at_s for o in world.broker.orders(NAME, BrokerVerb.DISCONNECT)]
    assert all(b - a == pytest.approx(PARTITION_CYCLE_S) for a, b in pairwise(begun))
    await passes(0.1 * TTL_S + 4 * CALL_S)
    assert world.healed == {HealReason.EXPIRED: 1}


async def test_a_renewal_after_its_time_begins_anew(world: World) -> None:
    await world.outages.apply(ONE, CUT, TTL_S)
    await passes(TTL_S)
    await world.outages.apply(ONE, CUT, TTL_S)
    assert world.outages.applied == {ONE: CUT}
    assert world.ill == {NAME}
    assert world.healed == {HealReason.EXPIRED: 1}


async def test_other_values_replace_what_holds(world: World) -> None:
    await world.outages.apply(ONE, Outage(1.0, 0.2), LONG_S)
    await world.outages.apply(ONE, STALL, LONG_S)
    assert world.outages.applied == {ONE: STALL}
    await passes(10 * STALL_CYCLE_S)
    assert world.broker.states[NAME].on_mesh
    assert len(world.broker.orders(NAME, BrokerVerb.CONNECT)) == 1


async def test_healing_what_is_well_orders_nothing(world: World) -> None:
    await world.outages.apply(ONE, NO_OUTAGE, LONG_S)
    await world.outages.heal_all()
    assert world.broker.asked == 0
    assert not world.healed


async def test_a_healing_waits_for_an_order_under_way(world: World) -> None:
    await world.outages.apply(ONE, HALF, LONG_S)
    world.broker.takes_s = 1.0  # the next orders are slow, and still done one after the other
    await passes(PARTITION_CYCLE_S)
    await world.outages.apply(ONE, NO_OUTAGE, LONG_S)
    assert not world.ill
    assert world.broker.orders(NAME)[-1].verb is BrokerVerb.CONNECT


async def test_cycles_that_slow_orders_took_are_not_caught_up_with(world: World) -> None:
    await world.outages.apply(ONE, HALF, LONG_S)
    world.broker.takes_s = 10.3 * PARTITION_CYCLE_S
    await passes(PARTITION_CYCLE_S)
    world.broker.takes_s = CALL_S
    await passes(10 * PARTITION_CYCLE_S)
    orders = len(world.broker.orders(NAME))
    await passes(10 * PARTITION_CYCLE_S)
    assert len(world.broker.orders(NAME)) - orders == pytest.approx(20, abs=1)


async def test_without_a_broker_nothing_is_desired(world: World) -> None:
    world.broker.down = True
    with pytest.raises(BrokerUnavailable, match="nobody is there"):
        await world.outages.apply(ONE, CUT, LONG_S)
    assert not world.outages.applied
    assert world.outages.impaired == 1  # a disconnect without an answer may have been done
    world.broker.down = False
    await passes(2 * RETRY_S)
    assert [o.verb for o in world.broker.done] == [BrokerVerb.CONNECT]
    assert not world.outages.impaired


async def test_where_half_of_an_outage_is_refused_the_other_half_is_healed(world: World) -> None:
    world.broker.refuses = frozenset({BrokerVerb.LIMIT})
    with pytest.raises(BrokerUnavailable, match="the engine will not"):
        await world.outages.apply(ONE, Outage(1.0, 0.5), LONG_S)
    await passes(2 * CALL_S)
    assert world.broker.states[NAME].on_mesh


async def test_a_broker_that_fails_in_mid_cycle_is_asked_again_in_the_next(world: World) -> None:
    await world.outages.apply(ONE, HALF, LONG_S)
    world.broker.down = True
    await passes(5 * PARTITION_CYCLE_S)
    world.broker.down = False
    orders = len(world.broker.done)
    await passes(10 * PARTITION_CYCLE_S)
    assert share_impaired(world.broker.done[orders + 1 :], 4, PARTITION_CYCLE_S) == pytest.approx(
        0.5
    )


async def test_a_renewal_of_what_fails_says_so(world: World) -> None:
    await world.outages.apply(ONE, HALF, LONG_S)
    world.broker.down = True
    await passes(2 * PARTITION_CYCLE_S)
    with pytest.raises(BrokerUnavailable, match=NAME):
        await world.outages.apply(ONE, HALF, LONG_S)
    assert not world.outages.applied
    world.broker.down = False
    await world.outages.apply(ONE, HALF, LONG_S)
    assert world.outages.applied == {ONE: HALF}


async def test_a_healing_goes_on_after_who_asked_for_it_has_given_up(world: World) -> None:
    await world.outages.apply(ONE, CUT, LONG_S)
    world.broker.down = True
    begun_s = now_s()
    with pytest.raises(BrokerUnavailable, match=f"{NAME}.*it continues"):
        await world.outages.apply(ONE, NO_OUTAGE, LONG_S)
    assert now_s() - begun_s == pytest.approx(ANSWER_S)
    await passes(LONG_S)
    assert world.ill == {NAME}
    world.broker.down = False
    await passes(RETRY_S + 2 * CALL_S)
    assert not world.ill
    assert world.healed == {HealReason.ASKED: 1}


async def test_an_expiry_without_a_broker_heals_when_it_is_back(world: World) -> None:
    await world.outages.apply(ONE, CUT, TTL_S)
    world.broker.down = True
    await passes(LONG_S)
    assert world.ill == {NAME}
    world.broker.down = False
    await passes(RETRY_S + 2 * CALL_S)
    assert world.healed == {HealReason.EXPIRED: 1}


async def test_an_order_while_a_healing_runs_holds_after_it(world: World) -> None:
    await world.outages.apply(ONE, CUT, LONG_S)
    heal = asyncio.create_task(world.outages.apply(ONE, NO_OUTAGE, LONG_S))
    await passes(CALL_S / 2)
    await world.outages.apply(ONE, HALF, LONG_S)
    await heal
    assert world.outages.applied == {ONE: HALF}
    verbs = [o.verb for o in world.broker.orders(NAME)]
    assert verbs == [BrokerVerb.DISCONNECT, BrokerVerb.CONNECT, BrokerVerb.DISCONNECT]


async def test_of_orders_at_once_the_last_one_holds(world: World) -> None:
    every = [CUT, HALF, NO_OUTAGE, Outage(0.5, 0.5), STALL]
    await asyncio.gather(*(world.outages.apply(ONE, outage, LONG_S) for outage in every))
    assert world.outages.applied == {ONE: STALL}
    await passes(10 * STALL_CYCLE_S)
    assert world.broker.states[NAME].on_mesh


async def test_heal_all_answers_when_all_are_healed(world: World) -> None:
    for replica in REPLICAS:
        await world.outages.apply(replica, HALF, LONG_S)
    await world.outages.heal_all()
    assert not world.ill
    assert world.healed == {HealReason.ASKED: len(REPLICAS)}


async def test_heal_all_without_a_broker_says_so_and_goes_on(world: World) -> None:
    await world.outages.apply(ONE, CUT, LONG_S)
    await world.outages.apply(OTHER, CUT, LONG_S)
    world.broker.down = True
    with pytest.raises(BrokerUnavailable):
        await world.outages.heal_all()
    world.broker.down = False
    await passes(RETRY_S + 2 * CALL_S)
    assert not world.ill


async def test_closing_heals_at_once(world: World) -> None:
    await world.outages.apply(ONE, Outage(1.0, 0.5), LONG_S)
    await world.outages.apply(OTHER, HALF, LONG_S)
    assert await took_s(world.outages.aclose()) < 4 * CALL_S
    assert not world.ill
    orders = len(world.broker.done)
    await passes(LONG_S)
    assert len(world.broker.done) == orders


async def test_closing_without_a_broker_takes_its_time_and_no_more(world: World) -> None:
    await world.outages.apply(ONE, CUT, LONG_S)
    world.broker.down = True
    assert await took_s(world.outages.aclose()) <= CLOSE_S + CALL_S
    assert world.ill == {NAME}
    world.broker.down = False
    world.outages = world.another_life()
    world.outages.reap()
    await passes(4 * CALL_S)
    assert world.outages.reaped


async def test_another_life_heals_what_it_finds_and_nothing_else(world: World) -> None:
    cut, starved, starting, standby, off = (str(replica) for replica in REPLICAS[:5])
    cores = LIMITS[REPLICAS[2].service].cpu_limit_cores
    world.broker.left(cut, on_mesh=False)
    world.broker.left(starved, cpu_share=STALLED_CPU_SHARE)
    world.broker.left(starting, cpu_share=2 * STARTING_CPU_CORES / cores)
    world.broker.left(standby, running=False, cpu_share=STALLED_CPU_SHARE)
    world.broker.left(off, running=False, on_mesh=False)
    assert not world.outages.reaped
    world.outages.reap()
    assert not world.outages.applied
    await passes(4 * CALL_S)
    assert world.outages.reaped
    assert {(o.name, o.verb, o.cpu_share) for o in world.broker.done} == {
        (cut, BrokerVerb.CONNECT, None),
        (starved, BrokerVerb.LIMIT, 1.0),
        (off, BrokerVerb.CONNECT, None),
    }
    assert world.healed == {HealReason.LEFT_OVER: 3}
    world.broker.left(starting, cpu_share=1.0)
    world.broker.left(standby, cpu_share=1.0)


async def test_reaping_repeats_until_the_broker_answers(world: World) -> None:
    world.broker.left(NAME, on_mesh=False)
    world.broker.down = True
    world.outages.reap()
    await passes(LONG_S)
    assert not world.outages.reaped
    world.broker.down = False
    await passes(RETRY_S + 4 * CALL_S)
    assert world.outages.reaped
    assert world.healed == {HealReason.LEFT_OVER: 1}


async def test_an_order_waits_until_its_replica_is_looked_at(world: World) -> None:
    world.broker.left(NAME, on_mesh=False)
    world.outages.reap()
    await world.outages.apply(ONE, CUT, LONG_S)
    verbs = [o.verb for o in world.broker.orders(NAME)]
    assert verbs == [BrokerVerb.CONNECT, BrokerVerb.DISCONNECT]
    assert world.outages.applied == {ONE: CUT}
