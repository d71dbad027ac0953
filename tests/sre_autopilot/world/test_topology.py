"""The call graph is whole, and what it may use fits the machine."""

import pytest

from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.topology import (
    CALL_TIMEOUT_S,
    CALLS,
    DATABASES,
    ENTRY,
    JOURNEY_SHARES,
    LIMITS,
    MAX_REPLICAS,
    POOL_CHECKOUT_TIMEOUT_S,
    USER_TIMEOUT_S,
    Journey,
    Service,
    callers_of,
)

ORDER = list(Service)
MEMORY_OF_THE_STACK_MB = 8 * 1024


def test_every_service_has_a_row_in_every_table() -> None:
    assert set(CALLS) == set(LIMITS) == set(Service)
    assert set(JOURNEY_SHARES) == set(Journey)


@pytest.mark.parametrize("caller", Service)
def test_callers_stand_before_callees(caller: Service) -> None:
    """So there is no cycle, and one pass in reverse propagates from callee to caller."""
    assert all(ORDER.index(callee) > ORDER.index(caller) for callee in CALLS[caller])


@pytest.mark.parametrize("service", Service)
def test_callers_of_turns_calls_around(service: Service) -> None:
    assert all(service in CALLS[caller] for caller in callers_of(service))
    assert sum(service in callees for callees in CALLS.values()) == len(callers_of(service))


def test_only_the_entry_has_no_caller() -> None:
    assert [s for s in Service if not callers_of(s)] == [ENTRY]


@pytest.mark.parametrize("database", DATABASES)
def test_databases_are_leaves(database: Service) -> None:
    assert CALLS[database] == ()


def test_journeys_are_all_of_the_traffic() -> None:
    assert sum(JOURNEY_SHARES.values()) == pytest.approx(1.0)


def test_all_that_can_run_at_once_fits_in_memory() -> None:
    total_mb = MAX_REPLICAS * sum(limits.memory_limit_mb for limits in LIMITS.values())
    assert total_mb <= MEMORY_OF_THE_STACK_MB


def test_a_call_that_hangs_breaks_the_sla_before_anyone_gives_up() -> None:
    assert P99_LIMIT_MS / 1000.0 < CALL_TIMEOUT_S <= USER_TIMEOUT_S / 2
    assert CALL_TIMEOUT_S < POOL_CHECKOUT_TIMEOUT_S
