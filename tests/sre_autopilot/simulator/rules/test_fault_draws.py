"""Faults drawn by lane against those that `chaos.tiers` draws as objects: the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos import tiers
from orchestrator.validation import MAX_SEED
from sre_autopilot.simulator.fault_table import encode_faults
from sre_autopilot.simulator.rules import fault_draws
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import Rows
from sre_autopilot.simulator.rules.fault_draws import TIERS, draw_faults
from sre_autopilot.world.vocabulary import Tier

ROWS = layout.MAX_FAULTS * layout.FAULT_WIDTH


def drawn(tier, seeds, lanes=None):
    """(seeds, ROWS), by the rules; memory holds anything before, as an engine's does."""
    faults = Rows(np.full((ROWS, len(seeds)), np.nan))
    lanes = np.ones(len(seeds), np.bool_) if lanes is None else lanes
    tiers_ = np.full(len(seeds), float(TIERS.index(tier)))
    draw_faults(tiers_, np.array(seeds, np.uint64), lanes, faults)
    return np.ascontiguousarray(faults.array.T)


def encoded(tier, seeds):
    """Fault by fault, from the objects of `chaos`."""
    return np.array([encode_faults(tiers.draw_faults(tier, seed)) for seed in seeds])


@pytest.mark.parametrize("tier", Tier)
def test_faults_drawn_by_lane_are_those_of_the_tiers_to_the_bit(tier):
    seeds = range(1500)
    assert drawn(tier, seeds).tobytes() == encoded(tier, seeds).tobytes()


@given(st.sampled_from(Tier), st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=5))
def test_any_seed_draws_the_faults_of_its_tier(tier, seeds):
    np.testing.assert_array_equal(drawn(tier, seeds), encoded(tier, seeds))


@pytest.mark.parametrize("tier", Tier)
def test_a_lane_that_draws_nothing_gets_no_fault(tier):
    seeds, lanes = range(200), np.arange(200) % 3 == 0
    faults = drawn(tier, seeds, lanes)
    np.testing.assert_array_equal(faults[lanes], encoded(tier, np.flatnonzero(lanes).tolist()))
    np.testing.assert_array_equal(faults[~lanes], np.tile(encode_faults([]), (133, 1)))


def test_kinds_have_the_numbers_that_the_rules_assume():
    kinds = [kind.kind for kind in tiers.KINDS]
    assert len(kinds) == fault_draws._KIND_COUNT
    numbers = [layout.SINGLE_OOM, layout.DB_CONNECTION_LEAK, layout.FLAPPING_NETWORK]
    assert numbers == [1, 2, 3] and len(set(kinds)) == 3
    assert layout.RESTART == 0
