"""Faults told to lanes: what cannot be told is refused."""

import numpy as np
import pytest

from chaos.fault import Fault
from chaos.faults.noop import NoFault
from chaos.faults.single_oom import SingleOom
from chaos.tiers import draw_faults
from sre_autopilot.simulator.batch import seat
from sre_autopilot.simulator.fault_table import stories, story
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier

LEAK = SingleOom(Service.AUTH_SERVICE, 30.0)


def test_a_story_says_what_the_fault_is():
    row = story([LEAK])
    assert row[at.KIND] == at.SINGLE_OOM
    assert row[at.ROOT] == list(Service).index(Service.AUTH_SERVICE)
    assert row[at.LEAK_MB] == 30.0
    assert row[at.FAULT_FIELDS + at.KIND] == at.NO_FAULT


def test_nothing_wrong_is_a_story_too():
    assert (story([NoFault()]).reshape(at.FAULTS, -1)[:, at.KIND] == at.NO_FAULT).all()


@pytest.mark.parametrize("tier", Tier)
def test_rows_are_those_of_the_seeds(tier):
    told = stories(tier, range(20))
    for seed in range(20):
        np.testing.assert_array_equal(told[seed], story(draw_faults(tier, seed)))


def test_three_at_once_are_too_many():
    with pytest.raises(ValueError, match="2 faults at once, not 3"):
        story([LEAK, LEAK, LEAK])


def test_a_fault_from_elsewhere_is_refused():
    class Elsewhere:
        kind = LEAK.kind
        root = LEAK.root
        cheap_cure = LEAK.cheap_cure

    strange: Fault = Elsewhere()  # type: ignore[assignment]
    with pytest.raises(ValueError, match="does not know the fault Elsewhere"):
        story([strange])


def test_a_seat_needs_seeds():
    with pytest.raises(ValueError, match="seeds"):
        seat(Tier.EASY, [], 2)
