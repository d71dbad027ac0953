"""Suggestions of a debrief, tried: here on the simulator, which needs no mesh."""

from orchestrator.environment import Environment
from sre_autopilot.evaluation.debrief_check import check, suggestions
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import Tier


def test_the_largest_regret_is_tried_both_ways_and_holds():
    with Environment(SimulatorBackend) as environment:
        records = [
            play(environment, load_policy(policy), Tier.EASY, 1)[0]
            for policy in ("belief", "sweep_rollback")
        ]
        (suggestion,) = suggestions(records, 5)
        assert suggestion.record is records[1]
        outcome = check(environment, suggestion)
    assert outcome.holds
    assert outcome.score_of_better - outcome.score_of_taken > suggestion.gain / 2.0
