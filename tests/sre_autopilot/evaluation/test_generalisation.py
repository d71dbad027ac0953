"""Other worlds are other, and a table holds them against the one that policies were made for."""

from functools import partial

import numpy as np
import pytest

from sre_autopilot.cli.dev.ladder import named_files
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation import generalisation
from sre_autopilot.evaluation.generalisation import document, play, rows, worlds
from sre_autopilot.evaluation.ladder.entrants import entrants
from sre_autopilot.evaluation.lane_outcomes import Outcomes
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.evaluation.noisier import Noisier
from sre_autopilot.policies import load_policy
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.cli.terminal import invoke

SEEDS = range(200_000, 200_003)
TIERS = (Tier.EASY, Tier.HARD)


@pytest.fixture(scope="module")
def scores():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generalisation, "Tier", TIERS)
        return play(entrants(["runbook"], {}), worlds("process", "docker"), SEEDS, lambda *_: None)


@pytest.fixture
def two_tiers(monkeypatch):
    monkeypatch.setattr(generalisation, "Tier", TIERS)


def test_the_first_world_is_that_of_every_other_evaluation(scores):
    evaluator = VectorEvaluator(SEEDS, NUMPY, "process")
    for tier in TIERS:
        expected = evaluator.scores("runbook", tier, lambda _: None).tolist()
        assert scores["fitted to process", "runbook", tier] == expected


def test_other_worlds_have_other_parameters_noise_traffic_and_hosts():
    home, other, noise, traffic, slower, faster = worlds("process", "docker").values()
    np.testing.assert_array_equal(other.parameters.cpu_pct, parameters.load("docker").cpu_pct)
    assert (other.parameters.cpu_pct != home.parameters.cpu_pct).any()
    assert isinstance(noise.wrapped(partial(load_policy, "runbook"))(), Noisier)
    np.testing.assert_array_equal(traffic.parameters.arrivals, 2.0 * home.parameters.arrivals)
    calls_pct = [w.parameters.cpu_call_pct for w in (slower, home, faster)]
    assert (calls_pct[0] > calls_pct[1]).all() and (calls_pct[1] > calls_pct[2]).all()


def test_rows_have_a_cell_for_every_tier_and_differences_but_for_the_first(scores, two_tiers):
    first, *others = rows(scores)
    assert {len(row) for row in (first, *others)} == {len(("world", "policy", *TIERS))}
    assert "," not in first[2] and all("," in cell for row in others for cell in row[2:])
    text = document(scores, SEEDS)
    assert text.isascii() and "3 seeds" in text and "| twice the noise | runbook |" in text


def test_a_backend_without_parameters_is_named():
    with pytest.raises(UnknownName, match="mars"):
        worlds("process", "mars")


def test_command_writes_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(VectorEvaluator, "outcomes", lambda *_: Outcomes.blank(2))
    page = tmp_path / "pages" / "generalisation.md"
    arguments = ("--policies", "wait", "--seeds", 2, "--out", page)
    result = invoke("dev", "generalisation", *arguments)
    assert result.exit_code == 0, result.output
    assert "traffic" in result.stdout
    assert page.read_text().startswith("# Other worlds")


def test_weights_are_named_by_their_files():
    name, files = named_files("learned=a.npz,b.npz")
    assert (name, [str(file) for file in files]) == ("learned", ["a.npz", "b.npz"])
