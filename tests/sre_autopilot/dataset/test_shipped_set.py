"""The small data set of the repository: of this world and schema, whole, and in both worlds."""

import gzip
import json
from collections import Counter

import pytest

from sre_autopilot.dataset.card import CARD
from sre_autopilot.dataset.files import SCHEMA, TABLES, schema
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier
from tests.architecture.source import ROOT

FOLDER = ROOT / "docs" / "examples" / "dataset"
POLICIES = ("oracle", "learned", "belief", "runbook", "heuristic", "random", "wait")
WORLDS = ("simulator", "process")


def rows(table):
    with gzip.open(FOLDER / table / "train.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def episodes():
    return rows("episodes")


def test_every_policy_has_an_episode_of_every_tier_in_both_worlds(episodes):
    played = Counter((row["backend"], row["policy"], row["tier"]) for row in episodes)
    assert played == {
        (world, policy, tier): 1 for world in WORLDS for policy in POLICIES for tier in Tier
    }


def test_the_set_is_of_this_world_and_schema(episodes):
    assert {row["world_version"] for row in episodes} == {WORLD_VERSION}
    assert json.loads((FOLDER / SCHEMA).read_text()) == schema()


def test_rows_are_of_their_classes_and_steps_of_their_episodes(episodes):
    steps = rows("steps")
    for table, kind in TABLES.items():
        for row in rows(table):
            kind.model_validate(row)
    assert {row["episode_id"] for row in steps} == {row["episode_id"] for row in episodes}
    rewarded = {row["episode_id"] for row in steps if row["process_reward"] is not None}
    assert rewarded == {row["episode_id"] for row in episodes}


def test_the_card_names_its_files():
    text = (FOLDER / CARD).read_text()
    assert all(f"{table}/train.jsonl.gz" in text for table in TABLES)
