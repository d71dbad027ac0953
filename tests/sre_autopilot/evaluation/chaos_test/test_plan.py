"""Trials come from their seed alone, and every kind has its turn."""

from collections import Counter
from itertools import islice

import pytest

from orchestrator.actions import ACTIONS
from sre_autopilot.evaluation.chaos_test.plan import MOMENTS, Moment, Trial, draw_trials
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier

KINDS = ("one", "one", "other")


def trials(number: int, seed: int = 1) -> list[Trial]:
    return list(islice(draw_trials(KINDS, seed), number))


def test_a_seed_decides_all() -> None:
    assert trials(50) == trials(50)
    assert trials(50) != trials(50, seed=2)


def test_a_longer_test_begins_as_a_shorter_one() -> None:
    assert trials(40)[:10] == trials(10)


def test_kinds_and_moments_come_as_often_as_they_are_named() -> None:
    drawn = trials(len(KINDS) * len(MOMENTS) * 2)
    assert Counter(t.kind for t in drawn) == {"one": 36, "other": 18}
    counts = Counter(t.moment for t in drawn)
    assert counts == {moment: 6 * MOMENTS.count(moment) for moment in Moment}


@pytest.mark.parametrize(
    ("field", "values"),
    [("tier", [*Tier]), ("action", [*ACTIONS]), ("service", [*Service])],
)
def test_every_value_has_its_turn(field: str, values: list[str]) -> None:
    drawn = trials(3 * len(values))
    assert Counter(getattr(trial, field) for trial in drawn) == dict.fromkeys(values, 3)


def test_each_episode_has_a_name_of_its_own() -> None:
    assert len({trial.episode_id for trial in trials(20)}) == 20
