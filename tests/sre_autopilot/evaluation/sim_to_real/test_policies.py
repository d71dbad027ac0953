"""Scores of a policy are compared on the episodes that both worlds have."""

import pytest

from sre_autopilot.evaluation.sim_to_real.policies import agreement, policy_gaps, scores_of
from sre_autopilot.simulator.calibration.recordings import Key
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.evaluation.sim_to_real.recorded_worlds import recording


def test_policy_is_compared_on_common_keys():
    here = {Key("wait", Tier.EASY, seed): 0.25 for seed in (1, 2, 3)}
    there = {Key("wait", Tier.EASY, seed): 0.75 for seed in (2, 3, 4)}
    (gap,) = policy_gaps(here, there)
    assert (gap.policy, gap.tier, gap.episodes) == ("wait", None, 2)
    assert (gap.real.mean, gap.sim.mean, gap.gap) == (0.25, 0.75, (0.5, 0.5, 0.5))
    assert gap.fails


def test_gap_whose_interval_holds_0_does_not_fail():
    keys = [Key("wait", Tier.EASY, seed) for seed in range(4)]
    (gap,) = policy_gaps(
        dict(zip(keys, (0.1, 0.9, 0.1, 0.9), strict=True)),
        dict(zip(keys, (0.9, 0.1, 0.9, 0.3), strict=True)),
    )
    assert gap.gap.low < 0.0 < gap.gap.high
    assert not gap.fails


def test_policies_are_compared_tier_by_tier_if_asked_for(real, sim):
    gaps = policy_gaps(scores_of(real), scores_of(sim), by_tier=True)
    assert len({(gap.policy, gap.tier) for gap in gaps}) == len(gaps) == 8


def test_key_played_twice_has_its_mean_score():
    runs = [recording(score=0.2), recording(score=0.4)]
    assert scores_of(runs) == {runs[0].key: pytest.approx(0.3)}


def test_agreement_is_over_the_means():
    scores = {Key(name, Tier.EASY, 1): 0.1 * n for n, name in enumerate(("a", "b", "c"))}
    turned = {key: 1.0 - score for key, score in scores.items()}
    ranks = agreement(policy_gaps(scores, turned))
    assert ranks.ranked == 3
    assert ranks.spearman == pytest.approx(-1.0)
    assert ranks.mmrv == pytest.approx((0.2 + 0.1 + 0.2) / 3)
