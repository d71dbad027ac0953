"""Faults as rows of numbers: encoded from objects, drawn many at once, queued for lanes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.fault import Fault
from chaos.faults.noop import NoFault
from chaos.faults.single_oom import SingleOom
from chaos.tiers import draw_faults
from orchestrator.validation import MAX_SEED
from sre_autopilot.simulator.fault_table import draw_fault_table, encode_faults
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier

LEAK = SingleOom(Service.AUTH_SERVICE, 30.0)


def encoded(tier, seeds):
    """Fault by fault, from the objects of `chaos`."""
    return np.array([encode_faults(draw_faults(tier, seed)) for seed in seeds])


def test_a_row_holds_kind_root_and_parameters():
    row = encode_faults([LEAK])
    assert row[layout.KIND] == layout.SINGLE_OOM
    assert row[layout.ROOT] == list(Service).index(Service.AUTH_SERVICE)
    assert row[layout.LEAK_MB] == 30.0
    assert row[layout.FAULT_WIDTH + layout.KIND] == layout.NO_FAULT


def test_no_fault_is_encoded_as_two_empty_slots():
    slots = encode_faults([NoFault()]).reshape(layout.MAX_FAULTS, -1)
    assert (slots[:, layout.KIND] == layout.NO_FAULT).all()


@pytest.mark.parametrize("tier", Tier)
def test_faults_drawn_over_arrays_are_those_of_the_tiers_to_the_bit(tier):
    seeds = range(1500)
    drawn = draw_fault_table(tier, np.array(seeds, np.uint64))
    assert drawn.tobytes() == encoded(tier, seeds).tobytes()


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(Tier), st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=5))
def test_any_seed_draws_the_faults_of_its_tier(tier, seeds):
    drawn = draw_fault_table(tier, np.array(seeds, np.uint64))
    np.testing.assert_array_equal(drawn, encoded(tier, seeds))


def test_three_faults_at_once_are_too_many():
    with pytest.raises(ValueError, match="2 faults at once, not 3"):
        encode_faults([LEAK, LEAK, LEAK])


def test_a_fault_class_of_others_is_refused():
    class Elsewhere:
        kind = LEAK.kind
        root = LEAK.root
        cheap_cure = LEAK.cheap_cure

    foreign: Fault = Elsewhere()  # type: ignore[assignment]
    with pytest.raises(ValueError, match="no rules for the fault Elsewhere"):
        encode_faults([foreign])
