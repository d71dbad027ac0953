"""`evaluate` plays what OUT lacks, prints means with intervals, and says how to go on."""

import json
from dataclasses import replace

import pytest

from orchestrator.settings import Settings
from server.app import create_app
from sre_autopilot.cli import evaluate
from sre_autopilot.evaluation.results import read_results
from sre_autopilot.evaluation.run import TEST_SEEDS_FROM
from sre_autopilot.policies import weights_of
from sre_autopilot.policies.learned import Learned
from sre_autopilot.policies.network import load, save
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Tier
from tests.server.doors import UNLIMITED, on_a_port, without_preparation
from tests.sre_autopilot.cli.terminal import invoke, is_narrow

SMALL = ("--policies", f"{ActionName.WAIT},oracle", "--tiers", Tier.EASY, "--seeds", 2)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluate") / "results.jsonl"


@pytest.fixture(scope="module")
def first(out):
    return invoke("evaluate", *SMALL, "--out", out)


def test_every_policy_has_a_row_in_80_columns(first):
    assert first.exit_code == 0, first.output
    assert is_narrow(first.stdout)
    rows = [line.split()[:3] for line in first.stdout.splitlines() if line.strip()]
    assert " .. " in first.stdout, "intervals are not wrapped"
    assert [Tier.EASY, "oracle", "2"] in rows and [Tier.EASY, ActionName.WAIT, "2"] in rows


def test_results_and_records_are_kept(first, out):
    assert len(read_results(out)) == 4
    assert len(list((out.parent / "episodes").glob("*.jsonl"))) == 4


def test_json_holds_the_cells_and_plays_nothing_again(first, out):
    before = out.read_text()
    result = invoke("evaluate", *SMALL, "--out", out, "--json")
    printed = json.loads(result.stdout)
    assert out.read_text() == before
    assert [cell["policy"] for cell in printed["cells"]] == ["oracle", ActionName.WAIT]
    best, _ = printed["cells"]
    assert best["low"] <= best["mean"] <= best["high"]
    assert len(printed["results"]) == 4 and printed["failed"] == 0


@pytest.mark.parametrize(
    ("option", "value", "listed"),
    [
        ("--policies", "genius", "runbook"),
        ("--tiers", "impossible", "medium"),
        ("--backend", "moon", "process"),
        ("--seeds", "0", "1"),
    ],
)
def test_bad_options_list_the_valid_values_and_play_nothing(option, value, listed, tmp_path):
    out = tmp_path / "results.jsonl"
    result = invoke("evaluate", option, value, "--out", out)
    assert result.exit_code == 2
    assert listed in result.stderr and result.stdout == ""
    assert not out.exists()


def test_a_file_that_holds_no_results_is_named(tmp_path):
    out = tmp_path / "results.jsonl"
    out.write_text("not a result\n")
    result = invoke("evaluate", *SMALL, "--out", out)
    assert result.exit_code == 2
    assert f"{out}, line 1" in result.stderr


def test_an_interrupt_says_what_is_kept_and_how_to_go_on(first, out, monkeypatch):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "play_all", interrupted)
    more = [*SMALL[:-1], 5]
    result = invoke("evaluate", *more, "--out", out)
    assert result.exit_code == 130
    assert f"4 of 10 episodes are in {out}" in result.stderr
    assert "run the same command" in result.stderr


def test_episodes_of_other_weights_are_played_anew(monkeypatch, tmp_path):
    out = tmp_path / "results.jsonl"
    policies = ("--policies", f"learned,{ActionName.WAIT}")
    asked = (*policies, "--tiers", Tier.EASY, "--seeds", 1, "--out", out, "--json")
    assert invoke("evaluate", *asked).exit_code == 0
    shipped = weights_of(Learned())
    assert shipped is not None
    network = load(Learned.weights)
    other = replace(network, provenance=replace(network.provenance, seed=99))
    save(other, tmp_path / "other.npz")
    monkeypatch.setattr(Learned, "weights", tmp_path / "other.npz")
    again = invoke("evaluate", *asked)
    assert f"1 results in {out} are of other weights of learned" in again.stderr
    kept = {result.policy: result.weights for result in read_results(out)}
    assert kept == {"learned": weights_of(Learned()), ActionName.WAIT: None}
    assert kept["learned"] != shipped
    assert [cell["episodes"] for cell in json.loads(again.stdout)["cells"]] == [1, 1]
    assert len(out.read_text().splitlines()) == 3
    assert invoke("evaluate", *asked).stderr.count("other weights") == 0


def test_failed_episodes_end_with_status_1(monkeypatch, tmp_path):
    monkeypatch.setattr(evaluate, "play_all", lambda *_arguments, **_options: 3)
    result = invoke("evaluate", *SMALL, "--out", tmp_path / "results.jsonl")
    assert result.exit_code == 1
    assert "3 episodes failed; run the same command" in result.stderr


def test_another_fault_has_results_of_its_own(tmp_path):
    out = tmp_path / "results.jsonl"
    one = ("--policies", ActionName.WAIT, "--tiers", Tier.HARD, "--seeds", 1, "--out", out)
    result = invoke("evaluate", *one, SRE_FAULT=FaultKind.SINGLE_OOM)
    assert result.exit_code == 0, result.output
    assert not out.exists()
    assert len((tmp_path / f"results-{FaultKind.SINGLE_OOM}.jsonl").read_text().splitlines()) == 1
    (record,) = (tmp_path / "episodes").glob("*.jsonl")
    assert f'"kind": "{FaultKind.SINGLE_OOM}"' in record.read_text()


def test_servers_play_in_place_of_meshes_in_the_order_of_the_seeds(tmp_path):
    options = ("--policies", ActionName.WAIT, "--tiers", f"{Tier.EASY},{Tier.CONTROL}")
    here = invoke("evaluate", *options, "--seeds", 2, "--out", tmp_path / "here", "--json")
    settings = UNLIMITED | {"record_dir": tmp_path / "server", "backend": SIMULATOR}
    with without_preparation(), on_a_port(create_app(Settings(**settings))) as url:
        out = tmp_path / "there"
        workers = ("--workers", f"{url},{url}/")
        there = invoke("evaluate", *options, "--seeds", 2, "--out", out, "--json", *workers)
    assert there.exit_code == 0, there.output
    assert json.loads(there.stdout)["cells"] == json.loads(here.stdout)["cells"]
    played = json.loads(there.stdout)["results"]
    assert [(row["seed"], row["tier"]) for row in played] == [
        (seed, tier)
        for seed in (TEST_SEEDS_FROM, TEST_SEEDS_FROM + 1)
        for tier in (Tier.EASY, Tier.CONTROL)
    ]


def test_a_server_that_does_not_answer_is_a_bad_option(tmp_path):
    url = "http://127.0.0.1:1"
    result = invoke("evaluate", "--workers", url, "--out", tmp_path / "out")
    assert result.exit_code == 2 and url in result.output
