"""`db_connection_leak`, row by row: who holds what, what cures it, and the traps that do not."""

from collections import Counter
from collections.abc import Callable
from itertools import product

import pytest
from scipy import stats

from chaos.fault import Impairments
from chaos.faults.db_connection_leak import DbConnectionLeak
from sre_autopilot.world.deployment import Deployment, ReplicaId, initial_deployment
from sre_autopilot.world.shapes import LEAK_FILL_STEPS, LEAK_HOLDER_MEMORY_MB_PER_STEP
from sre_autopilot.world.topology import CALLS, DATABASES, ENTRY, POOL_SIZE, Service, callers_of
from sre_autopilot.world.vocabulary import MAX_STEPS, SCALE_UP_STEPS, ActionName

Ask = Callable[..., int | None]

DB, CALLER = Service.INVENTORY_DB, Service.ORDER_SERVICE
OWN = DbConnectionLeak(DB, DB, 8.0)
HELD = DbConnectionLeak(DB, CALLER, 8.0)
DB_0, DB_1, CALLER_0 = ReplicaId(DB, 0), ReplicaId(DB, 1), ReplicaId(CALLER, 0)
START = initial_deployment()
SEEDS = range(2_000)
FILLING = [5, 6, 7, 7, 8, 9, 9, 10]
"""floor(10 * (age / 8)^(1/3)) for ages 1..8."""


def _level(fault: DbConnectionLeak, step: int, deployment: Deployment, pool: ReplicaId) -> int:
    """Connections of `pool` that anybody keeps."""
    impaired = fault.impairments(step, deployment).values()
    return sum(i.held_connections.get(str(pool), 0) for i in impaired)


def test_the_databases_own_leak_fills_its_own_pool() -> None:
    assert OWN.impairments(0, START) == {DB_0: Impairments(held_connections={"inventory_db-0": 5})}
    assert [_level(OWN, step, START, DB_0) for step in range(10)] == [*FILLING, 10, 10]


def test_a_callers_leak_holds_cursors_there_and_grows() -> None:
    assert HELD.impairments(2, START) == {
        CALLER_0: Impairments(LEAK_HOLDER_MEMORY_MB_PER_STEP, {"inventory_db-0": 7})
    }
    assert [_level(HELD, step, START, DB_0) for step in range(8)] == FILLING


@pytest.mark.parametrize("fault", [OWN, HELD], ids=["own", "held"])
def test_a_leak_never_ends_by_itself(fault: DbConnectionLeak) -> None:
    assert {_level(fault, step, START, DB_0) for step in range(7, MAX_STEPS + 1)} == {POOL_SIZE}


def test_levels_only_climb_and_break_the_pool_within_ten_steps() -> None:
    for seed in range(20):
        fault = DbConnectionLeak.draw(seed)
        pool = ReplicaId(fault.database, 0)
        levels = [_level(fault, step, START, pool) for step in range(10)]
        assert levels == sorted(levels), seed
        assert 0 < levels[0] < POOL_SIZE == levels[-1], seed


def test_restarting_the_database_of_a_callers_leak_empties_the_pool_for_a_while() -> None:
    """Trap: from the very window of the restart it fills again."""
    trap = START.restarted(DB, 9)
    assert [_level(HELD, step, trap, DB_0) for step in range(9, 17)] == FILLING


def test_a_database_out_of_rotation_keeps_its_held_connections() -> None:
    assert START.restarted(DB, 9).serving(DB, 9) == ()
    assert _level(HELD, 9, START.restarted(DB, 9), DB_0) == FILLING[0]


def test_restarting_a_caller_of_the_databases_own_leak_changes_nothing() -> None:
    """Trap."""
    assert _level(OWN, 9, START.restarted(CALLER, 9), DB_0) == POOL_SIZE


def test_rolling_back_the_database_of_a_callers_leak_is_a_trap_too() -> None:
    trap = START.rolled_back(DB, 9)
    assert [_level(HELD, step, trap, DB_1) for step in range(9, 17)] == FILLING
    assert str(DB_0) not in HELD.impairments(9, trap)[CALLER_0].held_connections


@pytest.mark.parametrize("fault", [OWN, HELD], ids=["own", "held"])
def test_scaling_up_the_database_helps_until_the_second_pool_is_full(
    fault: DbConnectionLeak,
) -> None:
    """Trap: a replica has its pool leaked from when it serves."""
    scaled = START.scaled_up(DB, 9)
    serves = 9 + SCALE_UP_STEPS
    assert {_level(fault, step, scaled, DB_1) for step in range(9, serves)} == {0}
    assert [_level(fault, step, scaled, DB_1) for step in range(serves, serves + 8)] == FILLING
    assert _level(fault, serves, scaled, DB_0) == POOL_SIZE


def test_only_the_first_replica_of_a_caller_holds() -> None:
    scaled = START.scaled_up(CALLER, 3)
    assert set(HELD.impairments(10, scaled)) == {CALLER_0}


def test_the_holders_own_death_empties_the_pool_for_a_while() -> None:
    """What it leaks may kill it: its cursors die with it."""
    revived = START.revived(CALLER_0, 20)
    assert _level(HELD, 20, revived, DB_0) == FILLING[0]


@pytest.mark.parametrize("fault", [OWN, HELD], ids=["own", "held"])
def test_the_last_good_release_leaks_nothing(fault: DbConnectionLeak) -> None:
    assert fault.impairments(9, START.rolled_back(fault.holder, 9)) == {}


@pytest.mark.parametrize("fault", [OWN, HELD], ids=["own", "held"])
def test_only_restart_or_rollback_of_the_holder_cures(
    fault: DbConnectionLeak, cured_from: Ask
) -> None:
    for action, service in product(ActionName, Service):
        right = action in {ActionName.RESTART, ActionName.ROLLBACK} and service is fault.holder
        for seed in range(20):
            assert cured_from(fault, action, service, step=6, seed=seed) == (6 if right else None)


def test_connections_are_held_without_a_gap() -> None:
    """A leak holds in every window, also in that of a restart that does not cure it."""
    gap = START.restarted(DB, 6)
    for deployment in (START, gap, gap.window_ended(), START.broken(DB, 6)):
        assert HELD.impairments(6, deployment)[CALLER_0].held_connections


def test_draws_are_golden() -> None:
    product, auth = Service.PRODUCT_SERVICE, Service.AUTH_SERVICE
    assert DbConnectionLeak.draw(0) == DbConnectionLeak(DB, product, 8.947552162438708)
    assert DbConnectionLeak.draw(42) == DbConnectionLeak(Service.USER_DB, auth, 7.2605729149046425)


def test_half_of_the_leaks_are_the_databases_own() -> None:
    drawn = [DbConnectionLeak.draw(seed) for seed in SEEDS]
    for database in DATABASES:
        holders = Counter(fault.holder for fault in drawn if fault.database is database)
        assert set(holders) == {database, *callers_of(database)}
        assert stats.binomtest(holders[database], holders.total()).pvalue > 1e-3
        callers = [holders[caller] for caller in callers_of(database)]
        assert len(callers) == 1 or stats.chisquare(callers).pvalue > 1e-3
    databases = Counter(fault.database for fault in drawn)
    assert stats.chisquare([databases[d] for d in DATABASES]).pvalue > 1e-3


def test_fill_times_are_spread_over_their_range() -> None:
    low, high = LEAK_FILL_STEPS
    drawn = [DbConnectionLeak.draw(seed).fill_steps for seed in SEEDS]
    assert stats.kstest(drawn, "uniform", (low, high - low)).pvalue > 1e-3


@pytest.mark.parametrize(
    ("database", "holder", "fill_steps", "about"),
    [
        (CALLER, CALLER, 8.0, "database"),
        (DB, Service.AUTH_SERVICE, 8.0, "holder"),
        (DB, ENTRY, 8.0, "holder"),
        (DB, DB, 0.5, "fill_steps"),
        (DB, DB, float("nan"), "fill_steps"),
    ],
)
def test_impossible_parameters_are_refused(
    database: Service, holder: Service, fill_steps: float, about: str
) -> None:
    with pytest.raises(ValueError, match=about):
        DbConnectionLeak(database, holder, fill_steps)


def test_parameters_for_the_record() -> None:
    assert (HELD.root, HELD.cheap_cure) == (CALLER, ActionName.RESTART)
    assert DB in CALLS[HELD.root]
    assert HELD.parameters() == {"database": DB, "holder": CALLER, "fill_steps": 8.0}
