"""An outage takes its share of every cycle, for its time."""

import asyncio
from itertools import groupby, pairwise

import pytest

from chaos.daemon.outages import (
    NO_OUTAGE,
    PARTITION_CYCLE_S,
    HealReason,
    Outage,
)
from sre_autopilot.world.shapes import STALL_CYCLE_S
from sre_autopilot.world.stack import STALLED_CPU_SHARE, BrokerVerb
from tests.chaos.daemon.outages.world import (
    CALL_S,
    CONNECTION,
    CUT,
    HALF,
    LONG_S,
    NAME,
    ONE,
    OTHER,
    QUOTA_CALL_S,
    STALL,
    TTL_S,
    World,
    passes,
    share_impaired,
    took_s,
)

pytestmark = pytest.mark.anyio


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


@pytest.mark.parametrize(("share", "call_s"), [(0.97, CALL_S), (0.99, CALL_S), (0.75, 0.3)])
async def test_a_share_is_right_where_orders_take_longer_than_the_rest_of_a_cycle(
    world: World, share: float, call_s: float
) -> None:
    world.broker.takes_s = call_s
    assert (1.0 - share) * PARTITION_CYCLE_S < call_s
    await world.outages.apply(ONE, Outage(share), LONG_S)
    await passes(100 * PARTITION_CYCLE_S)
    # Where nothing is mended in a cycle, the order that impairs is given again.
    orders = [next(group) for _, group in groupby(world.broker.orders(NAME), lambda o: o.verb)]
    pairs = len(orders) // 2 - 1
    off_mesh_s = share_impaired(orders, pairs, PARTITION_CYCLE_S) * pairs * PARTITION_CYCLE_S
    assert off_mesh_s / (orders[2 * pairs].at_s - orders[0].at_s) == pytest.approx(share, abs=0.01)


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


async def test_a_partition_and_a_stall_may_hold_at_one_replica(world: World) -> None:
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


async def test_healing_a_healthy_replica_orders_nothing(world: World) -> None:
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
