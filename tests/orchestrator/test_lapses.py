"""Impairments that do not hold: mended once, then the end; in the record either way."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.environment import Environment
from orchestrator.errors import ImpairmentLost
from orchestrator.lapses import Lapses
from orchestrator.telemetry.window import Window
from sre_autopilot import grading
from sre_autopilot.grading import Verdict
from sre_autopilot.models import SREAction
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.watched_simulator import WatchedSimulator

WAIT = SREAction(action=ActionName.WAIT)
DB, PAYMENT = ReplicaId(Service.USER_DB, 0), ReplicaId(Service.PAYMENT_GATEWAY, 0)


def window(step: int, *lapsed: str) -> Window:
    return Window(step, {}, (), lapsed=lapsed)


def test_a_lapse_is_noted_and_to_be_healed() -> None:
    lapses, problems = Lapses(), list[str]()
    lapses.check(window(3, str(DB), USERS), problems)
    assert lapses.to_heal() == {DB: NO_IMPAIRMENTS}
    assert problems == [f"step 3: {name} was not impaired as ordered" for name in (DB, USERS)]


def test_the_same_lapse_in_the_next_window_is_the_end() -> None:
    lapses, problems = Lapses(), list[str]()
    lapses.check(window(1, str(DB)), problems)
    with pytest.raises(ImpairmentLost, match=str(DB)):
        lapses.check(window(2, str(PAYMENT), str(DB)), problems)
    assert len(problems) == 3


@pytest.mark.parametrize("between", [(), (str(PAYMENT),)])
def test_lapses_that_are_mended_are_not_the_end(between: tuple[str, ...]) -> None:
    lapses, problems = Lapses(), list[str]()
    for step, lapsed in enumerate(((str(DB),), between, (str(DB),))):
        lapses.check(window(step, *lapsed), problems)
    assert len(problems) == 2 + len(between)


class Lapsing(WatchedSimulator):
    """A mesh in which processes lapse at some steps; it keeps what it was ordered."""

    lapsed_at: Mapping[int, tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.orders: list[tuple[int, ReplicaId, Impairments]] = []

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        made = await super().observe(step, open_breakers)
        return replace(made, lapsed=self.lapsed_at.get(step, ()))

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        self.orders.append((step, target, impairments))
        return await super().apply(target, impairments, step, ttl_s)


def lapsing(lapsed_at: Mapping[int, tuple[str, ...]]) -> Callable[[], Lapsing]:
    backend = Lapsing()
    backend.lapsed_at = lapsed_at
    return lambda: backend


def read(folder: Path) -> grading.EpisodeRecord:
    (record,) = grading.read_episodes((folder / "e.jsonl").read_text().splitlines())
    return record


def test_an_episode_with_a_lapse_goes_on_and_is_broken(tmp_path: Path) -> None:
    make = lapsing({2: (str(PAYMENT),)})
    with Environment(make, record_dir=tmp_path) as environment:
        observation = environment.reset(seed=1, task_tier=Tier.CONTROL, episode_id="e")
        while not observation.done:
            observation = environment.step(WAIT)
    assert (3, PAYMENT, NO_IMPAIRMENTS) in make().orders
    record = read(tmp_path)
    assert record.finished and record.validity is not None
    assert record.validity.verdict is Verdict.BROKEN
    assert record.validity.reasons == (f"step 2: {PAYMENT} was not impaired as ordered",)


def test_an_impairment_that_is_lost_twice_ends_the_episode(tmp_path: Path) -> None:
    make = lapsing({1: (str(DB),), 2: (str(DB),)})
    with Environment(make, record_dir=tmp_path) as environment:
        environment.reset(seed=1, episode_id="e")
        environment.step(WAIT)
        with pytest.raises(ImpairmentLost):
            environment.step(WAIT)
        assert make().closed
    record = read(tmp_path)
    assert (record.finished, len(record.steps)) == (False, 3)
    assert record.validity is not None and record.validity.verdict is Verdict.BROKEN


def test_the_next_episode_does_not_know_of_the_last_ones_lapses(tmp_path: Path) -> None:
    make = lapsing({0: (str(DB),)})
    with Environment(make, record_dir=tmp_path) as environment:
        environment.reset(seed=1)
        environment.reset(seed=1, episode_id="e")
        environment.step(WAIT)
