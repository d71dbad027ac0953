"""The demo plays the three tiers, shows every step and tells the story."""

from io import StringIO

import typer
from rich.console import Console
from typer.testing import CliRunner

import grader
from models import SREAction
from orchestrator import demo
from orchestrator.environment import Environment
from orchestrator.play import play
from orchestrator.policies import load_policy
from services.mesh.topology import Service
from services.mesh.vocabulary import DEFAULT_TIERS, ActionName, Tier
from tests.paper_mesh import PaperMesh


def shown(renderable):
    console = Console(width=120, record=True, file=StringIO())
    console.print(renderable)
    return console.export_text()


def test_it_plays_the_default_tiers_and_ends_with_three_scores(monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "make_backend", lambda _settings: PaperMesh)
    monkeypatch.setenv("SRE_RECORD_DIR", str(tmp_path))
    app = typer.Typer()
    app.command()(demo.main)
    result = CliRunner().invoke(app, ["--seed", "3"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count("score ") == len(DEFAULT_TIERS)
    assert all(f"{tier}, seed 3" in result.stdout for tier in DEFAULT_TIERS)
    assert len(list(tmp_path.glob("*.jsonl"))) == len(DEFAULT_TIERS)


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
    assert grader.grade(record) == score


def test_actions_are_spelt():
    restart = SREAction(action=ActionName.RESTART, service_id=Service.USER_DB)
    assert demo.spell(restart) == "restart user_db"
    assert demo.spell(SREAction(action=ActionName.WAIT)) == "wait"
