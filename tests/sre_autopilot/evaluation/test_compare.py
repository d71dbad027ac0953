"""Records are lined up step by step; scores are paired by tier and seed."""

import json

import pytest
from rich.console import Console

from orchestrator.environment import Environment
from sre_autopilot.evaluation.compare import (
    POOLED,
    compare_records,
    compare_results,
    difference_text,
    record_tables,
    results_table,
)
from sre_autopilot.evaluation.results import ScoredEpisode
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier

SEED = 3


@pytest.fixture(scope="module")
def records():
    with Environment(SimulatorBackend) as environment:
        return {
            name: play(environment, load_policy(name), Tier.EASY, SEED)[0]
            for name in ("oracle", "wait", "random")
        }


def episodes(policy, scores, tier=Tier.EASY):
    """One episode a score, of the seeds 0, 1, 2 ..."""
    return [ScoredEpisode(policy, tier, seed, score) for seed, score in enumerate(scores)]


def text(*renderables):
    console = Console(width=80, record=True)
    with console.capture() as capture:
        console.print(*renderables)
    return capture.get()


def test_steps_of_both_records_stand_side_by_side_to_the_end_of_the_longer(records):
    comparison = compare_records(records["oracle"], records["wait"])
    assert [pair.step for pair in comparison.steps] == list(range(MAX_STEPS + 1))
    over = [pair for pair in comparison.steps if pair.a is None]
    assert len(over) == MAX_STEPS + 1 - len(records["oracle"].steps)
    assert all(pair.b is not None for pair in comparison.steps)


def test_first_difference_is_the_first_other_action_and_the_window_after_it(records):
    comparison = compare_records(records["oracle"], records["wait"])
    (cure, _), *_ = records["oracle"].interventions
    assert comparison.first_action_difference == cure
    assert comparison.first_window_difference == cure
    assert f"other actions from step {cure} on" in difference_text(comparison)


def test_a_record_does_not_differ_from_itself(records):
    comparison = compare_records(records["random"], records["random"])
    assert comparison.first_action_difference is None
    assert comparison.first_window_difference is None
    assert all(a == b for _term, a, b in comparison.terms())
    assert "the same" in difference_text(comparison)


def test_terms_are_those_of_the_grader(records):
    comparison = compare_records(records["oracle"], records["wait"])
    terms = {term: (a, b) for term, a, b in comparison.terms()}
    assert terms["total"] == (records["oracle"].score, records["wait"].score)
    assert terms.keys() == {"total", "sla", "speed", "budget", "root_cause"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"seed": SEED + 1}, "tier and seed differ: easy 3 and easy 4"),
        ({"tier": Tier.HARD}, "tier and seed differ: easy 3 and hard 3"),
        ({"world_version": "0"}, "world_version differs: 1 and 0"),
    ],
)
def test_records_of_other_episodes_are_refused(records, changes, problem):
    with pytest.raises(ValueError, match=problem):
        compare_records(records["wait"], records["wait"].model_copy(update=changes))


def test_record_tables_name_the_policies_the_actions_and_the_cure(records):
    comparison = compare_records(records["oracle"], records["wait"])
    printed = text(*record_tables(comparison))
    assert "A: oracle" in printed
    assert "B: wait" in printed
    assert f"{ActionName.RESTART} " in printed
    assert "(cure)" in printed
    assert max(map(len, printed.splitlines())) <= 80


def test_record_comparison_is_plain_json(records):
    plain = json.loads(json.dumps(compare_records(records["oracle"], records["wait"]).as_json()))
    assert plain["seed"] == SEED
    assert plain["a"]["policy"] == "oracle"
    assert plain["b"]["score"]["total"] == records["wait"].score
    assert len(plain["steps"]) == MAX_STEPS + 1


def test_two_policies_are_paired_by_seed():
    comparison = compare_results(episodes("one", [0.5, 0.6, 0.7]), episodes("two", [0.6, 0.7, 0.8]))
    (cell,) = comparison.cells
    assert (cell.policy_a, cell.policy_b, cell.pairs) == ("one", "two", 3)
    assert cell.difference.mean == pytest.approx(0.1)
    assert cell.certain
    assert (comparison.unpaired_a, comparison.unpaired_b) == (0, 0)


def test_several_policies_are_each_compared_with_themselves():
    side_a = [*episodes("one", [0.5, 0.5]), *episodes("two", [0.1, 0.1])]
    side_b = [*episodes("two", [0.2, 0.2]), *episodes("one", [0.5, 0.5])]
    cells = {cell.policy_a: cell for cell in compare_results(side_a, side_b).cells}
    assert cells.keys() == {"one", "two"}
    assert cells["one"].difference == (0.0, 0.0, 0.0)
    assert cells["two"].difference.mean == pytest.approx(0.1)
    assert not cells["one"].certain


def test_tiers_are_compared_one_by_one_and_pooled():
    side_a = [*episodes("one", [0.4, 0.6]), *episodes("one", [0.4, 0.6], Tier.HARD)]
    side_b = [*episodes("one", [0.5, 0.7]), *episodes("one", [0.7, 0.9], Tier.HARD)]
    *by_tier, pooled = compare_results(side_a, side_b).cells
    assert [cell.tier for cell in by_tier] == [Tier.EASY, Tier.HARD]
    assert (pooled.tier, pooled.pairs) == (None, 4)
    assert pooled.difference.mean == pytest.approx(0.2)


def test_only_common_seeds_are_paired_and_the_others_are_counted():
    comparison = compare_results(episodes("one", [0.5, 0.5, 0.5]), episodes("one", [0.5]))
    assert comparison.cells[0].pairs == 1
    assert (comparison.unpaired_a, comparison.unpaired_b) == (2, 0)


def test_episodes_played_twice_count_by_their_mean():
    twice = [*episodes("one", [0.4]), *episodes("one", [0.6])]
    (cell,) = compare_results(twice, episodes("one", [0.5])).cells
    assert (cell.mean_a, cell.pairs) == (0.5, 1)


@pytest.mark.parametrize("side_b", [[], episodes("one", [0.5], Tier.HARD)])
def test_sides_without_a_common_episode_are_an_error_that_says_what_each_has(side_b):
    with pytest.raises(ValueError, match="A has one on easy, seeds 0 to 0, B has"):
        compare_results(episodes("one", [0.5]), side_b)


def test_results_table_and_json_show_every_cell():
    side_a = [*episodes("one", [0.4, 0.6]), *episodes("one", [0.4, 0.6], Tier.HARD)]
    side_b = [*episodes("two", [0.5, 0.7]), *episodes("two", [0.7, 0.9], Tier.HARD)]
    comparison = compare_results(side_a, side_b)
    printed = text(results_table(comparison))
    assert "+0.200" in printed
    assert max(map(len, printed.splitlines())) <= 80
    plain = json.loads(json.dumps(comparison.as_json()))
    assert [cell["tier"] for cell in plain["cells"]] == [Tier.EASY, Tier.HARD, POOLED]
