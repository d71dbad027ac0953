"""Outcomes of lanes, from states written by hand; whole episodes are in test_vector_play.py."""

import numpy as np
import pytest

from sre_autopilot.evaluation.lane_outcomes import Outcomes
from sre_autopilot.simulator.rules import state_layout as layout

ROOT, OTHER = 4, 2


def state(step, *, cost=0.0, acted_on=0, recovered_at=layout.NEVER, kind=layout.SINGLE_OOM):
    """A lane with one fault at ROOT, or with none."""
    x = np.zeros(layout.FIELD_COUNT)
    x[layout.STEP], x[layout.STEP_COST], x[layout.ACTED_ON] = step, cost, acted_on
    x[layout.RECOVERED_AT], x[layout.SCORE] = recovered_at, 0.1 * step
    x[layout.FAULT + layout.KIND], x[layout.FAULT + layout.ROOT] = kind, ROOT
    return x


def after(*states):
    """The outcomes of one lane after these states."""
    outcomes = Outcomes.blank(1)
    for x in states:
        outcomes.after_step([0], x[None])
    return outcomes


def test_an_episode_that_has_not_begun_has_no_steps_and_no_costs():
    blank = Outcomes.blank(3)
    assert all(values.shape == (3,) for values in blank)
    assert np.isnan(blank[:5]).all() and not np.any(blank[5:])


def test_the_first_action_stays_the_first_and_costs_add_up():
    outcomes = after(
        state(1),
        state(2, cost=2.0, acted_on=OTHER),
        state(3, cost=1.0, acted_on=ROOT),
        state(4, cost=8.0, acted_on=ROOT),
    )
    assert outcomes.first_action_at == 2.0 and outcomes.first_at_cause == 0.0
    assert outcomes.detected_at == 3.0
    assert (outcomes.actions, outcomes.cost_units) == (3.0, 11.0)
    assert outcomes.score == pytest.approx(0.4)


def test_an_action_without_a_cost_is_none():
    outcomes = after(state(1, acted_on=ROOT), state(2, acted_on=ROOT))
    assert np.isnan(outcomes.first_action_at) and np.isnan(outcomes.first_at_cause)
    assert outcomes.actions == 0.0


def test_a_service_is_no_cause_where_nothing_is_wrong():
    outcomes = after(state(1, cost=1.0, acted_on=ROOT, kind=layout.NO_FAULT))
    assert outcomes.first_action_at == 1.0 and outcomes.first_at_cause == 0.0
    assert np.isnan(outcomes.detected_at)


def test_recovery_is_dated_as_the_rules_date_it():
    outcomes = after(state(5), state(6, recovered_at=4.0))
    assert outcomes.recovered_at == 4.0


def test_lanes_that_are_not_named_stay_as_they_are():
    outcomes = Outcomes.blank(2)
    both = np.stack([state(1, cost=1.0, acted_on=ROOT)] * 2)
    outcomes.after_step([1], both)
    assert outcomes.actions.tolist() == [0.0, 1.0]
    assert np.isnan(outcomes.detected_at).tolist() == [True, False]
