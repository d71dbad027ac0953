"""Two records of an episode are lined up step by step, and say where they part."""

import json

import pytest
from rich.console import Console

from orchestrator.environment import Environment
from sre_autopilot.evaluation.compare_records import (
    compare_records,
    difference_text,
    record_tables,
)
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import MAX_STEPS, WORLD_VERSION, ActionName, Tier

SEED = 3


@pytest.fixture(scope="module")
def records():
    with Environment(SimulatorBackend) as environment:
        return {
            name: play(environment, load_policy(name), Tier.EASY, SEED)[0]
            for name in ("oracle", "wait", "random")
        }


def text(*renderables):
    console = Console(width=80)
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
        ({"world_version": "0"}, f"world_version differs: {WORLD_VERSION} and 0"),
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
