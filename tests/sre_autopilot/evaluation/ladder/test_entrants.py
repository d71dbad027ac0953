"""Entrants are named policies and files of weights; what does not fit is named."""

from dataclasses import replace

import pytest
from rich.console import Console
from rich.progress import Progress

from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.evaluation.ladder import make
from sre_autopilot.evaluation.ladder.entrants import STANDARD, entrants, standard_policies
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.evaluation.score_checks import hard_bound
from sre_autopilot.policies import POLICIES
from sre_autopilot.policies.learned import Learned
from sre_autopilot.policies.network import Provenance, save
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier
from tests.sre_autopilot.policies.networks import waiting_network

SEEDS = range(200_000, 200_002)
TIERS = (Tier.HARD, Tier.CONTROL)
PROVENANCE = Provenance(
    world_version=WORLD_VERSION, commit="abc", recipe="", seed=1, samples=1, cpu_s=0.5, scores={}
)


def weights(path, seed):
    """A file of a network that waits."""
    save(waiting_network(replace(PROVENANCE, seed=seed)), path)
    return path


def test_usual_policies_are_those_that_are_shipped():
    assert set(standard_policies()) == {*STANDARD} & {*POLICIES}


@pytest.mark.parametrize("seed", [1, 2])
def test_files_of_one_training_are_refused_and_of_two_taken(tmp_path, seed):
    files = [weights(tmp_path / "a.npz", 1), weights(tmp_path / "b.npz", seed)]
    if seed == 1:
        with pytest.raises(InvalidValue, match="different trainings"):
            entrants((), {"learned": files})
        return
    (entrant,) = entrants((), {"learned": files})
    made = [new_policy() for new_policy in entrant.trainings]
    assert [policy.weights for policy in made if isinstance(policy, Learned)] == files


def test_a_name_stands_for_one_policy(tmp_path):
    files = {"runbook": [weights(tmp_path / "a.npz", 1)]}
    with pytest.raises(InvalidValue, match="a name that no other policy has"):
        entrants(["runbook"], files)
    with pytest.raises(UnknownName, match="genius"):
        entrants(["genius"], {})
    with pytest.raises(InvalidValue, match="a file of weights"):
        entrants((), {"learned": [tmp_path / "none.npz"]})


def test_a_ladder_is_made_of_every_entrant_on_every_tier(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "Tier", TIERS)
    files = [weights(tmp_path / f"{seed}.npz", seed) for seed in (1, 2)]
    entered = entrants(["wait"], {"learned": files})
    with Progress(console=Console(quiet=True)) as progress:
        ladder = make.make_ladder(entered, (), SEEDS, "process", bound_seeds=0, progress=progress)
        (task,) = progress.tasks
    assert task.completed == task.total
    by_name = {rung.policy: rung for rung in ladder.rungs}
    assert (by_name["learned"].trainings, by_name["wait"].trainings) == (2, 1)
    evaluator = VectorEvaluator(SEEDS, NUMPY, "process")
    for tier in TIERS:
        expected = evaluator.scores("wait", tier, lambda _: None).mean()
        for name in ("learned", "wait"):
            figures = by_name[name].on(tier)
            assert figures is not None
            assert figures.mean.mean == pytest.approx(expected, abs=1e-4)
    assert "learned" not in ladder.missing and "oracle" in ladder.missing


def test_a_bound_is_a_reference_on_hard_alone(monkeypatch):
    ended: list[int] = []
    monkeypatch.setattr(
        hard_bound, "bounds", lambda seeds, advance: [advance(1) or 0.8 for _ in seeds]
    )
    (rung,) = make._bounds(SEEDS, ended.append)
    assert rung.is_reference and [figures.tier for figures in rung.tiers] == [Tier.HARD]
    assert (len(ended), rung.tiers[0].episodes) == (len(SEEDS), len(SEEDS))
