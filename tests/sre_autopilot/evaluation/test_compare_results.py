"""Scores of two sides are paired by tier and seed."""

import json

import pytest
from rich.console import Console

from sre_autopilot.evaluation.compare_results import POOLED, compare_results, results_table
from sre_autopilot.evaluation.results import ScoredEpisode
from sre_autopilot.world.vocabulary import Tier


def episodes(policy, scores, tier=Tier.EASY):
    """One episode a score, of the seeds 0, 1, 2 ..."""
    return [ScoredEpisode(policy, tier, seed, score) for seed, score in enumerate(scores)]


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
    console = Console(width=80)
    with console.capture() as capture:
        console.print(results_table(comparison))
    printed = capture.get()
    assert "+0.200" in printed
    assert max(map(len, printed.splitlines())) <= 80
    plain = json.loads(json.dumps(comparison.as_json()))
    assert [cell["tier"] for cell in plain["cells"]] == [Tier.EASY, Tier.HARD, POOLED]
