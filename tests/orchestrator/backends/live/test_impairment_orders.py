"""A scrape is compared with the last order: whether the impairments in force are those ordered."""

from dataclasses import asdict, replace

import pytest

from chaos.fault import Impairments
from services.runtime import impairments as services_impairments
from sre_autopilot.world.impairment_digest import impairment_digest
from sre_autopilot.world.signals import IMPAIRMENT_DIGEST
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S
from tests.orchestrator.backends.live.test_control_client import NAME, PAGE, TARGET, Port

pytestmark = pytest.mark.anyio

PARTITION = Impairments(partitioned=0.5, held_connections={NAME: 2}, memory_leak_mb=3.0)


def page_of(impairments: Impairments) -> str:
    """What a process writes that has those in force."""
    body = asdict(replace(impairments, held_connections=dict(impairments.held_connections)))
    ordered = services_impairments.Impairments(step=1, ttl_s=1.0, **body)
    return f"{PAGE}{IMPAIRMENT_DIGEST} {float(impairment_digest(ordered))}\n"


@pytest.mark.parametrize(
    ("ordered", "in_force", "as_ordered"),
    [
        (None, Impairments(), True),
        (None, PARTITION, False),
        (PARTITION, PARTITION, True),
        (PARTITION, replace(PARTITION, memory_leak_mb=0.0), True),
        (PARTITION, Impairments(), False),
        (PARTITION, replace(PARTITION, held_connections={NAME: 1}), False),
        (Impairments(), Impairments(), True),
        (Impairments(), PARTITION, False),
    ],
)
async def test_a_scrape_shows_whether_the_last_order_holds(
    ordered: Impairments | None, in_force: Impairments, as_ordered: bool
) -> None:
    port = Port()
    if ordered is not None:
        await port.control.impair(TARGET, ordered, 1, IMPAIRMENT_TTL_S)
    port.body = page_of(in_force)
    sample = await port.control.scrape(TARGET)
    assert port.control.impaired_as_ordered(TARGET, sample) is as_ordered


async def test_a_new_process_of_the_same_name_was_ordered_nothing() -> None:
    port = Port()
    await port.control.impair(TARGET, PARTITION, 1, IMPAIRMENT_TTL_S)
    port.body = page_of(Impairments())
    successor = replace(TARGET, control_url="http://127.0.0.1:4")
    assert port.control.impaired_as_ordered(successor, await port.control.scrape(successor))
    await port.control.drop_connections(NAME)
    assert port.control.impaired_as_ordered(TARGET, await port.control.scrape(TARGET))


async def test_a_process_that_does_not_say_is_believed() -> None:
    port = Port()
    await port.control.impair(TARGET, PARTITION, 1, IMPAIRMENT_TTL_S)
    port.body = PAGE
    assert port.control.impaired_as_ordered(TARGET, await port.control.scrape(TARGET))
