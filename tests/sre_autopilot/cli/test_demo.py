"""The demo plays the three tiers, shows every step and tells the story."""

import os
import subprocess
import sys
from io import StringIO

import typer
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.environment import Environment
from sre_autopilot import grading
from sre_autopilot.cli import demo
from sre_autopilot.models import SREAction
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.architecture.source import ROOT
from tests.paper_mesh import PaperMesh


def shown(renderable):
    console = Console(width=120, record=True, file=StringIO())
    console.print(renderable)
    return console.export_text()


def test_it_plays_over_http_and_tells_the_story_of_each_tier(tmp_path):
    tiers = (Tier.EASY, Tier.HARD)
    environ = {"SRE_RECORD_DIR": str(tmp_path), "SRE_STEP_SECONDS": "0.12"}
    ended = subprocess.run(
        [sys.executable, "-m", "sre_autopilot.cli.demo", "--seed", "3", "--tiers", ",".join(tiers)],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    for word in ("START", "END"):
        assert ended.stdout.count(f"[{word}] ") == len(tiers)
    assert all(f"{tier}, seed 3" in ended.stdout for tier in tiers)
    assert ended.stdout.count("  score  ") == len(tiers)
    assert len(list(tmp_path.glob("demo-*/*.jsonl"))) == len(tiers)


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setenv("SRE_RECORD_DIR", str(tmp_path))
    monkeypatch.setenv("SRE_BACKEND", "moon")
    app = typer.Typer()
    app.command()(demo.main)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "moon" in result.stderr


def test_new_steps_of_a_record_are_shown_once(tmp_path):
    records = demo.Records(tmp_path)
    with Environment(PaperMesh, record_dir=tmp_path) as environment:
        environment.reset(seed=4, task_tier=Tier.EASY)
        assert "the episode begins" in shown(*records.new_screens())
        assert [*records.new_screens()] == []
        environment.step({"action": ActionName.WAIT})
        environment.step({"action": ActionName.RESTART, "service_id": Service.USER_DB})
        assert [shown(new).split("\n")[0].strip() for new in records.new_screens()] == [
            "easy  step 1/30  wait",
            "easy  step 2/30  restart user_db",
        ]


def test_the_screen_shows_every_service_and_what_is_broken():
    screens, tier = [], Tier.MEDIUM
    with Environment(PaperMesh) as environment:
        play(
            environment,
            load_policy("wait"),
            tier,
            4,
            watch=lambda action, seen: screens.append(shown(demo.screen(tier, action, seen))),
        )
    assert all(service in screen for service in Service for screen in screens)
    assert "broken" not in screens[0]
    assert "broken" in screens[-1]
    assert "step 30/30" in screens[-1]


def test_the_story_names_fault_deeds_and_cure():
    with Environment(PaperMesh) as environment:
        record, score = play(environment, load_policy("oracle"), Tier.MEDIUM, 4)
    told = demo.story(record, score)
    fault = record.faults[0]
    assert fault.kind in told and str(fault.root) in told
    assert "- the cure" in told
    assert f"{score.total:.3f}" in told


def test_an_episode_that_nobody_mended_says_so():
    with Environment(PaperMesh) as environment:
        record, score = play(environment, load_policy("wait"), Tier.EASY, 4)
    told = demo.story(record, score)
    assert "recovered  never" in told and "done       nothing" in told
    assert grading.grade(record) == score


def test_actions_are_spelt():
    restart = SREAction(action=ActionName.RESTART, service_id=Service.USER_DB)
    assert demo.spell(restart) == "restart user_db"
    assert demo.spell(SREAction(action=ActionName.WAIT)) == "wait"
