"""The number that stands for impairments: the same for the same, 0 for none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.fault import Impairments
from sre_autopilot.world.impairment_digest import NOTHING_IMPAIRED, impairment_digest

CHANGES: list[dict[str, Any]] = [
    {"held_connections": {"user_db-0": 2}},
    {"held_connections": {"user_db-0": 3}},
    {"held_connections": {"user_db-1": 2}},
    {"partitioned": 0.5},
    {"drop_ratio": 0.5},
    {"cpu_fraction": 0.5},
    {"neighbour_cpu_pct": 0.5},
]


@pytest.mark.parametrize(
    "same", [{}, {"held_connections": {"user_db-0": 0}}, {"cpu_fraction": 1, "drop_ratio": 0}]
)
def test_a_healthy_process_has_none(same: dict[str, Any]) -> None:
    assert impairment_digest(Impairments(**same)) == NOTHING_IMPAIRED


def test_every_impairment_has_its_own() -> None:
    digests = {impairment_digest(Impairments(**change)) for change in CHANGES}
    assert len(digests - {NOTHING_IMPAIRED}) == len(CHANGES)


@given(st.permutations(["user_db-0", "user_db-1", "inventory_db-0"]), st.floats(0.0, 1.0))
def test_the_order_of_connections_is_of_no_account(pools: list[str], share: float) -> None:
    digests = [
        impairment_digest(
            Impairments(drop_ratio=share, held_connections={pool: len(pool) for pool in order})
        )
        for order in (pools, sorted(pools))
    ]
    assert digests[0] == digests[1]
    assert float(digests[0]) == digests[0], "a gauge holds it exactly"
