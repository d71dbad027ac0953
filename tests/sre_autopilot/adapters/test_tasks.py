"""Tasks: keys that never change, and the splits of seeds."""

import pytest

from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, SEED_SPLITS, Tier


def test_a_key_names_tier_and_seed_and_is_read_back():
    assert Task(Tier.HARD, 17).key == f"{Tier.HARD}-17"
    for task in tasks_of("test", 2, [*Tier]):
        assert Task.parse(task.key) == task


@pytest.mark.parametrize("key", ["", "hard", "hard-", "hard--1", "hard-1.5", "hard-\u0661", "x-1"])
def test_a_bad_key_is_refused_in_words(key):
    with pytest.raises((InvalidValue, UnknownName), match=r"hard-17|easy, medium"):
        Task.parse(key)


@pytest.mark.parametrize("split", SEED_SPLITS)
def test_the_tasks_of_a_split_stay_in_it_and_the_tiers_take_turns(split):
    tasks = tasks_of(split, 3)
    assert [task.tier for task in tasks[:4]] == [*DEFAULT_TIERS, DEFAULT_TIERS[0]]
    assert len(tasks) == 9 and {task.split for task in tasks} == {split}
    assert tasks[:3] == tasks_of(split, 1)


def test_splits_share_no_task_and_other_seeds_belong_to_none():
    keys = [task.key for split in SEED_SPLITS for task in tasks_of(split, 50)]
    assert len({*keys}) == len(keys)
    assert Task(Tier.EASY, 150_000).split == "none"


@pytest.mark.parametrize(
    ("split", "seeds", "tiers", "words"),
    [
        ("dev", 1, DEFAULT_TIERS, "train, validation, test"),
        ("test", 0, DEFAULT_TIERS, "from 1 to 10000"),
        ("test", 10_001, DEFAULT_TIERS, "from 1 to 10000"),
        ("test", 1, ["harder"], "easy, medium"),
    ],
)
def test_a_split_that_cannot_be_had_is_refused_with_what_can(split, seeds, tiers, words):
    with pytest.raises(ValueError, match=words):
        tasks_of(split, seeds, tiers)
