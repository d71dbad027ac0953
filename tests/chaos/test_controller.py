"""The controller applies impairments, renews them, and leaves nothing behind."""

import asyncio
from dataclasses import dataclass, field

import pytest

from chaos.controller import Controller, TargetUnreachable
from chaos.fault import NO_IMPAIRMENTS, Impairments
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import Service

pytestmark = pytest.mark.anyio

ONE, OTHER = ReplicaId(Service.USER_DB, 0), ReplicaId(Service.INVENTORY_DB, 0)
LEAK = Impairments(memory_leak_mb=30.0)
DROP = Impairments(drop_ratio=0.5)
LONG_S, SHORT_S = 60.0, 0.03


@dataclass
class Surface:
    """Remembers what was applied; `dead` targets answer nothing."""

    dead: frozenset[ReplicaId] = frozenset()
    holding: dict[ReplicaId, Impairments] = field(default_factory=dict)
    applied: list[tuple[ReplicaId, Impairments, int, float]] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        self.applied.append((target, impairments, step, ttl_s))
        self.grown.set()
        if target in self.dead:
            return None
        self.holding[target] = impairments
        return impairments

    async def until_applied(self, count: int) -> None:
        while len(self.applied) < count:
            self.grown.clear()
            await asyncio.wait_for(self.grown.wait(), timeout=10.0)


async def test_exactly_what_is_desired_holds() -> None:
    surface = Surface()
    controller = Controller(surface, LONG_S)
    await controller.apply({ONE: LEAK}, step=1)
    await controller.apply({OTHER: DROP}, step=2)
    assert surface.holding == {ONE: NO_IMPAIRMENTS, OTHER: DROP}
    assert surface.applied[-1][2:] == (2, LONG_S)
    await controller.aclose()


async def test_a_healed_target_is_not_touched_again() -> None:
    surface = Surface()
    controller = Controller(surface, LONG_S)
    await controller.apply({ONE: LEAK}, step=1)
    await controller.apply({}, step=2)
    applied = len(surface.applied)
    await controller.apply({}, step=3)
    await controller.aclose()
    assert len(surface.applied) == applied


async def test_apply_returns_impairments_in_force_and_none_of_dead_replicas() -> None:
    controller = Controller(Surface(dead=frozenset({OTHER})), LONG_S)
    assert await controller.apply({ONE: LEAK, OTHER: LEAK}, step=1) == {ONE: LEAK, OTHER: None}
    await controller.aclose()


async def test_impairments_are_renewed_at_the_same_step_while_no_step_comes() -> None:
    surface = Surface()
    controller = Controller(surface, SHORT_S)
    await controller.apply({ONE: DROP}, step=4)
    await surface.until_applied(4)
    assert all(applied == (ONE, DROP, 4, SHORT_S) for applied in surface.applied)
    await controller.aclose()


async def test_a_renewal_leaks_nothing_even_where_the_target_is_new() -> None:
    surface = Surface()
    controller = Controller(surface, SHORT_S)
    await controller.apply({ONE: LEAK}, step=4)
    await surface.until_applied(3)
    assert [applied[1] for applied in surface.applied[:3]] == [LEAK, NO_IMPAIRMENTS, NO_IMPAIRMENTS]
    await controller.aclose()


async def test_a_target_that_does_not_answer_once_is_renewed_the_next_time() -> None:
    class Flaky(Surface):
        async def apply(self, target, impairments, step, ttl_s):
            holding = await super().apply(target, impairments, step, ttl_s)
            if len(self.applied) == 2:
                raise TargetUnreachable
            return holding

    surface = Flaky()
    controller = Controller(surface, SHORT_S)
    await controller.apply({ONE: DROP}, step=1)
    await surface.until_applied(4)
    await controller.aclose()


async def test_a_target_that_does_not_answer_is_an_error() -> None:
    class Silent(Surface):
        async def apply(self, target, impairments, step, ttl_s):
            raise TargetUnreachable

    controller = Controller(Silent(), LONG_S)
    with pytest.raises(TargetUnreachable):
        await controller.apply({ONE: DROP}, step=1)


async def test_closing_heals_and_ends_the_renewal() -> None:
    surface = Surface()
    controller = Controller(surface, SHORT_S)
    await controller.apply({ONE: LEAK, OTHER: DROP}, step=1)
    tasks = asyncio.all_tasks()
    await controller.aclose()
    assert surface.holding == {ONE: NO_IMPAIRMENTS, OTHER: NO_IMPAIRMENTS}
    assert len(asyncio.all_tasks()) == len(tasks) - 1
    applied = len(surface.applied)
    await controller.aclose()
    assert len(surface.applied) == applied
