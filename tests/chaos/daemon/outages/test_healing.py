"""The last order holds; closing, and the next daemon, heal what is left."""

import asyncio

import pytest

from chaos.broker_client import BrokerUnavailable
from chaos.daemon.duty_cycle import RETRY_S
from chaos.daemon.outages import (
    CLOSE_S,
    NO_OUTAGE,
    HealReason,
    Outage,
)
from sre_autopilot.world.shapes import STALL_CYCLE_S
from sre_autopilot.world.stack import REPLICAS, STALLED_CPU_SHARE, STARTING_CPU_CORES, BrokerVerb
from sre_autopilot.world.topology import LIMITS
from tests.chaos.daemon.outages.world import (
    CALL_S,
    CUT,
    HALF,
    LONG_S,
    NAME,
    ONE,
    OTHER,
    STALL,
    World,
    passes,
    took_s,
)

pytestmark = pytest.mark.anyio


async def test_an_order_while_a_healing_runs_holds_after_it(world: World) -> None:
    await world.outages.apply(ONE, CUT, LONG_S)
    heal = asyncio.create_task(world.outages.apply(ONE, NO_OUTAGE, LONG_S))
    await passes(CALL_S / 2)
    await world.outages.apply(ONE, HALF, LONG_S)
    await heal
    assert world.outages.applied == {ONE: HALF}
    verbs = [o.verb for o in world.broker.orders(NAME)]
    assert verbs == [BrokerVerb.DISCONNECT, BrokerVerb.CONNECT, BrokerVerb.DISCONNECT]


async def test_the_last_of_concurrent_orders_holds(world: World) -> None:
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
    world.outages = world.new_daemon()
    world.outages.reap()
    await passes(4 * CALL_S)
    assert world.outages.reaped


async def test_next_daemon_heals_leftovers_and_nothing_else(world: World) -> None:
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
        (starting, BrokerVerb.LIMIT, 1.0),
        (off, BrokerVerb.CONNECT, None),
    }
    assert world.healed == {HealReason.LEFT_OVER: 4}
    world.broker.left(standby, cpu_share=1.0)


async def test_reaping_repeats_until_the_broker_answers(world: World) -> None:
    world.broker.left(NAME, on_mesh=False)
    world.broker.down = True
    world.outages.reap()
    await passes(20 * RETRY_S)
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
