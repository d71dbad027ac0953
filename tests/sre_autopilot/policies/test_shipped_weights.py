"""The weights that are shipped: where they come from, and that they play well in this world."""

import numpy as np
import pytest

from sre_autopilot.policies.learned import WEIGHTS
from sre_autopilot.policies.network import load
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.training.recipe import SHIPPED, Recipe, recipe_text
from sre_autopilot.training.scoring import scores
from sre_autopilot.world.vocabulary import SEED_SPLITS, WORLD_VERSION, Tier

LEAST_SCORES = {
    Tier.EASY: 0.91,
    Tier.MEDIUM: 0.86,
    Tier.HARD: 0.72,
    Tier.CONTROL: 0.95,
    Tier.EXPERT: 0.78,
}
"""By what a policy that plays by chance or by thresholds does not reach on these seeds."""
SEEDS = SEED_SPLITS["test"][:40]
LARGEST_MB = 1.0


@pytest.fixture(scope="module")
def network():
    return load(WEIGHTS)


def test_provenance_is_the_shipped_recipe_in_this_world(network):
    provenance = network.provenance
    assert provenance.world_version == WORLD_VERSION
    assert provenance.recipe == recipe_text(SHIPPED)
    recipe = Recipe.parse(provenance.recipe)
    assert provenance.samples == recipe.updates * recipe.lanes * recipe.horizon
    assert {*provenance.scores} == {*map(str, Tier)}


def test_weights_come_from_a_commit(network):
    assert len(network.provenance.commit) == 12
    assert int(network.provenance.commit, base=16)


def test_file_is_small_and_its_numbers_are_finite(network):
    assert WEIGHTS.stat().st_size < LARGEST_MB * 1e6
    assert all(np.isfinite(array).all() for array in network.arrays.values())


@pytest.mark.parametrize("tier", Tier)
def test_mean_score_is_that_of_a_policy_that_has_learned(network, tier):
    assert scores(network, tier, SEEDS, NUMPY).mean() >= LEAST_SCORES[tier]
