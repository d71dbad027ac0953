"""The debrief of whole records, of every tier."""

from typing import Any

import numpy as np
import pytest

from sre_autopilot.debrief.ledger import standard_error
from sre_autopilot.debrief.replay import replay
from sre_autopilot.debrief.report import debrief, process_rewards
from sre_autopilot.debrief.values import judge_by_truth
from sre_autopilot.errors import InvalidValue
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, Tier

FUTURES: dict[str, Any] = {"truth_futures": 2, "sighted_futures": 2}


def test_both_ledgers_add_up_to_the_score(record_of):
    made = debrief(record_of("runbook", Tier.EXPERT, 5), **FUTURES)
    assert made.exact
    assert made.gap == pytest.approx(0.0, abs=1e-12)
    for ledger in (made.sighted, made.truth):
        total = ledger.start.mean - ledger.regrets.mean + ledger.luck.mean
        assert total == pytest.approx(made.score, abs=1e-12)


@pytest.mark.parametrize("tier", DEFAULT_TIERS)
def test_with_the_truth_known_the_oracle_regrets_nothing(record_of, tier):
    regret = judge_by_truth(replay(record_of("oracle", tier, 1)), 4).regret.sum(axis=0)
    assert regret.mean() <= 2.0 * standard_error(regret)


def test_random_actions_are_regretted_the_most(record_of):
    regrets = {
        policy: judge_by_truth(replay(record_of(policy, Tier.MEDIUM, 1)), 2).regret.sum(axis=0)
        for policy in ("oracle", "runbook", "random")
    }
    means = {policy: regret.mean() for policy, regret in regrets.items()}
    assert means["oracle"] <= means["runbook"] < means["random"]


def test_a_policy_that_goes_on_as_it_played_regrets_nothing_by_sight(record_of):
    made = debrief(record_of("belief", Tier.EASY, 1), **FUTURES)
    assert [step.advised for step in made.steps] == [step.taken for step in made.steps]
    assert made.sighted.regrets.mean == 0.0
    assert all(step.knowable == 0.0 for step in made.steps)


def test_a_regret_is_what_was_knowable_and_what_was_not(record_of):
    steps = debrief(record_of("heuristic", Tier.MEDIUM, 1), **FUTURES).steps
    for step in steps:
        assert step.knowable + step.not_knowable == pytest.approx(step.truth.regret.mean)
        assert min(step.knowable, step.not_knowable) >= 0.0
    assert sum(step.truth.regret.mean for step in steps) > 0.0


def test_the_same_record_gives_the_same_numbers(record_of):
    record = record_of("oracle", Tier.EASY, 2)
    assert debrief(record, **FUTURES) == debrief(record, **FUTURES)


def test_process_rewards_are_one_for_each_action_and_tell_good_from_bad(record_of):
    good, bad = (
        process_rewards(record_of(policy, Tier.MEDIUM, 1)) for policy in ("oracle", "random")
    )
    assert len(bad) == len(record_of("random", Tier.MEDIUM, 1).steps) - 1
    assert np.abs(good).max() == pytest.approx(0.0)
    assert min(bad) < -0.1


def test_a_record_without_observations_has_process_rewards_and_no_debrief(record_of):
    record = record_of("oracle", Tier.EASY, 0)
    bare = [step.model_copy(update={"observed": {}}) for step in record.steps]
    blind = record.model_copy(update={"steps": tuple(bare)})
    assert process_rewards(blind) == process_rewards(record)
    with pytest.raises(InvalidValue, match="observed"):
        debrief(blind)


def test_a_privileged_policy_cannot_stand_for_what_was_observed(record_of):
    with pytest.raises(InvalidValue, match="continuation"):
        debrief(record_of("oracle", Tier.EASY, 0), continuation="oracle")
