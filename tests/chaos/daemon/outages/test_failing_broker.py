"""What a broker refuses or fails at is asked again, and reported."""

import pytest

from chaos.broker_client import BrokerUnavailable
from chaos.daemon.duty_cycle import RETRY_S
from chaos.daemon.outages import (
    ANSWER_S,
    NO_OUTAGE,
    PARTITION_CYCLE_S,
    HealReason,
    Outage,
)
from sre_autopilot.world.stack import BrokerVerb
from tests.chaos.daemon.outages.world import (
    CALL_S,
    CUT,
    HALF,
    LONG_S,
    NAME,
    ONE,
    TTL_S,
    World,
    now_s,
    passes,
    share_impaired,
)

pytestmark = pytest.mark.anyio


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


async def test_a_healing_goes_on_after_its_request_is_cancelled(world: World) -> None:
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
