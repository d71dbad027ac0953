"""Scores on unseen seeds, those of other policies beside them, and the commit written down."""

import subprocess

import numpy as np
import pytest

from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.policies.network import Provenance
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.training import commit
from sre_autopilot.training.baselines import baseline_scores
from sre_autopilot.training.scoring import scores, validation_seeds
from sre_autopilot.version import __version__
from sre_autopilot.world.vocabulary import SEED_SPLITS, WORLD_VERSION, ActionName, Tier
from tests.sre_autopilot.policies.networks import waiting_network

SEED_COUNT = 4


@pytest.fixture
def waiting():
    """A network that waits, whatever it reads."""
    provenance = Provenance(WORLD_VERSION, "", "", 0, 0, 0.0, {})
    return waiting_network(provenance)


@pytest.fixture
def fresh_commit():
    commit.current_commit.cache_clear()
    yield commit.current_commit
    commit.current_commit.cache_clear()


@pytest.mark.parametrize("tier", [Tier.CONTROL, Tier.EASY])
def test_a_network_that_waits_scores_as_the_policy_that_does(waiting, tier):
    seeds = validation_seeds(SEED_COUNT)
    evaluator = VectorEvaluator(seeds, NUMPY, "process")
    by_policy = evaluator.scores(ActionName.WAIT, tier, lambda _count: None)
    np.testing.assert_array_equal(scores(waiting, tier, seeds, NUMPY), by_policy)


def test_scores_stand_in_the_order_of_the_seeds(waiting):
    seeds = validation_seeds(SEED_COUNT)
    forward = scores(waiting, Tier.HARD, seeds, NUMPY)
    backward = scores(waiting, Tier.HARD, seeds[::-1], NUMPY)
    np.testing.assert_array_equal(forward, backward[::-1])
    assert len({*forward}) > 1


def test_seeds_are_the_first_of_the_validation_split():
    assert validation_seeds(3) == SEED_SPLITS["validation"][:3]


def test_baselines_are_scored_on_the_same_seeds_tier_by_tier():
    played: list[str] = []
    means = baseline_scores([ActionName.WAIT], SEED_COUNT, NUMPY, played.append)
    assert means.keys() == {ActionName.WAIT}
    assert means[ActionName.WAIT].keys() == {*Tier}
    evaluator = VectorEvaluator(validation_seeds(SEED_COUNT), NUMPY, "process")
    expected = evaluator.scores(ActionName.WAIT, Tier.HARD, lambda _count: None).mean()
    assert means[ActionName.WAIT][Tier.HARD] == expected
    assert len(played) == len(Tier)


def test_no_baseline_costs_no_play():
    assert baseline_scores([], SEED_COUNT, NUMPY, print) == {}


def test_commit_is_that_of_the_checkout(fresh_commit, monkeypatch, tmp_path):
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path))
    subprocess.run((*git, "init", "-q"), check=True)
    subprocess.run((*git, "commit", "-q", "--allow-empty", "-m", "x"), check=True)
    head = subprocess.run((*git, "rev-parse", "HEAD"), check=True, capture_output=True, text=True)
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    assert head.stdout.startswith(fresh_commit())


def test_an_installed_package_names_its_version(fresh_commit, monkeypatch, tmp_path):
    monkeypatch.setattr(commit, "ROOT", tmp_path)
    assert fresh_commit() == __version__
