"""The demo plays tiers over HTTP, shows every step, and summarises each episode."""

import pytest

from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from sre_autopilot.cli import demo
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.sre_autopilot.cli.terminal import invoke, text_of


@pytest.mark.parametrize(
    "backend",
    [SimulatorBackend.name, pytest.param(ProcessBackend.name, marks=pytest.mark.live)],
)
def test_the_demo_plays_over_http_and_prints_a_summary_of_each_tier(tmp_path, backend):
    tiers = (Tier.EASY, Tier.HARD)
    # A proxy is not for servers on this machine, whatever the host's variables say.
    proxies = dict.fromkeys(("HTTP_PROXY", "ALL_PROXY"), "http://127.0.0.1:1") | {"NO_PROXY": ""}
    environ = {"SRE_RECORD_DIR": str(tmp_path), "SRE_BACKEND": backend, **proxies}
    result = invoke("demo", "--seed", 3, "--tiers", ",".join(tiers), **environ)
    assert result.exit_code == 0, result.output
    for word in ("START", "END"):
        assert result.stdout.count(f"[{word}] ") == len(tiers)
    assert all(f"{tier}, seed 3" in result.stdout for tier in tiers)
    assert result.stdout.count("  score  ") == len(tiers)
    assert len(list(tmp_path.glob("demo-*/*.jsonl"))) == len(tiers)


def test_a_server_that_does_not_start_prints_its_last_words(tmp_path):
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('uvicorn [is] out of order')")
    result = invoke("demo", SRE_RECORD_DIR=str(tmp_path / "records"), PYTHONPATH=str(tmp_path))
    assert result.exit_code == 1
    assert "uvicorn [is] out of order" in result.stderr


def test_without_a_checkout_the_demo_says_that_it_needs_one(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "ROOT", tmp_path)
    result = invoke("demo")
    assert result.exit_code == 2
    assert "checkout" in result.stderr


def test_a_wrong_setting_names_its_variable():
    result = invoke("demo", SRE_MAX_SESSIONS="many")
    assert result.exit_code == 2
    assert "SRE_MAX_SESSIONS" in result.stderr


def test_new_steps_of_a_record_are_drawn_once(tmp_path):
    records = demo.Records(tmp_path)
    with Environment(SimulatorBackend, record_dir=tmp_path) as environment:
        environment.reset(seed=4, task_tier=Tier.EASY)
        assert "the episode begins" in text_of(*records.new_screens())
        assert [*records.new_screens()] == []
        environment.step({"action": ActionName.WAIT})
        environment.step({"action": ActionName.RESTART, "service_id": Service.USER_DB})
        assert [text_of(table).split("\n")[0].strip() for table in records.new_screens()] == [
            f"{Tier.EASY}  step 1/30  {ActionName.WAIT}",
            f"{Tier.EASY}  step 2/30  {ActionName.RESTART} {Service.USER_DB}",
        ]


@pytest.mark.parametrize("words", [("--tier", "brutal"), ("--policy", "nobody")])
def test_wrong_names_are_refused_before_a_server_starts(words, tmp_path):
    result = invoke("demo", *words, SRE_RECORD_DIR=str(tmp_path))
    assert result.exit_code == 2 and "valid values" in result.stderr
    assert list(tmp_path.iterdir()) == []
