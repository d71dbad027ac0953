"""Impairments say no to what cannot be."""

import math
from typing import Any

import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments, merged


@pytest.mark.parametrize(
    "wrong",
    [
        {"partitioned": 1.1},
        {"drop_ratio": -0.1},
        {"partitioned": math.nan},
        {"cpu_fraction": 0.0},
        {"cpu_fraction": 1.01},
        {"memory_leak_mb": -1.0},
        {"neighbour_cpu_pct": -1.0},
        {"held_connections": {"user_db-0": -1}},
    ],
    ids=str,
)
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Impairments(**wrong)


def test_no_impairments_is_the_default_value() -> None:
    assert Impairments() == NO_IMPAIRMENTS
    assert Impairments(held_connections={}) == NO_IMPAIRMENTS
    assert Impairments(held_connections={"user_db-0": 1}) != NO_IMPAIRMENTS


def test_two_impairments_at_once_take_the_worse_share_and_add_amounts() -> None:
    one = Impairments(
        memory_leak_mb=2.0, held_connections={"user_db-0": 1}, partitioned=0.5, cpu_fraction=0.25
    )
    other = Impairments(
        memory_leak_mb=3.0,
        held_connections={"user_db-0": 2, "inventory_db-0": 4},
        partitioned=0.25,
        neighbour_cpu_pct=60.0,
    )
    both = Impairments(
        memory_leak_mb=5.0,
        held_connections={"user_db-0": 3, "inventory_db-0": 4},
        partitioned=0.5,
        cpu_fraction=0.25,
        neighbour_cpu_pct=60.0,
    )
    assert merged(one, other) == merged(other, one) == both
    assert merged(one, NO_IMPAIRMENTS) == one
