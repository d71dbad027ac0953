"""`chaos-test` prints a table or JSON, keeps every outcome, and its status says if all is well.

Its world is a stand-in; kills of real processes are in tests/sre_autopilot/evaluation/chaos_test.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sre_autopilot.evaluation.chaos_test import process_world, trials
from sre_autopilot.evaluation.chaos_test.world import Victims, WorldFailed
from tests.sre_autopilot.cli.terminal import invoke
from tests.sre_autopilot.evaluation.chaos_test.fakes import FakeWorld, ScriptedSession

KILLS = 3
Play = Callable[..., Any]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """Runs the command on a world; returns the result and the file of outcomes."""

    def run(world: FakeWorld | None, *options: str) -> Any:
        @asynccontextmanager
        async def make_world() -> AsyncIterator[FakeWorld]:
            if world is None:
                raise WorldFailed("the server did not start")
            yield world

        monkeypatch.setattr(process_world, "process_world", make_world)
        monkeypatch.setattr(trials, "Session", ScriptedSession())
        for name in ("CLEAN_WITHIN_S", "WELL_WITHIN_S", "FIRST_GUESS_S"):
            monkeypatch.setattr(trials, name, 0.01)
        out = tmp_path / "new" / "out.json"
        options = ("--kills", str(KILLS), "--seed", "5", "--out", str(out), *options)
        return invoke("chaos-test", *options), out

    return run


def test_table_and_file_have_all_kills(play: Play) -> None:
    result, out = play(FakeWorld())
    assert result.exit_code == 0, result.output
    assert "process, seed 5: 3 kills" in result.stdout
    assert f"{KILLS} of {KILLS}" in result.stdout
    document = json.loads(out.read_text())
    assert document["good"]
    assert (document["seed"], len(document["outcomes"])) == (5, KILLS)


def test_json_is_the_document_of_the_file(play: Play) -> None:
    result, out = play(FakeWorld(), "--json")
    assert json.loads(result.stdout) == json.loads(out.read_text())


def test_a_residue_is_named_and_ends_with_status_1(play: Play) -> None:
    result, out = play(FakeWorld(residues=["port 80"]))
    assert result.exit_code == 1
    assert result.stderr.count("port 80") == KILLS
    assert not json.loads(out.read_text())["good"]


def test_a_world_that_fails_ends_with_status_1_and_keeps_the_outcomes(play: Play) -> None:
    result, out = play(None)
    assert result.exit_code == 1
    assert "the server did not start" in result.stderr
    assert json.loads(out.read_text())["failure"] == "the server did not start"


def test_an_unknown_kind_is_named_with_status_2(play: Play) -> None:
    result, _out = play(FakeWorld(kinds=("part",)), "--only", "nothing")
    assert result.exit_code == 2
    assert "part" in result.stderr
    assert "nothing" in result.stderr


def test_a_seed_is_drawn_and_printed(play: Play) -> None:
    result, out = play(FakeWorld(kinds=("part",)), "--only", "part")
    assert f"seed {json.loads(out.read_text())['seed']}" in result.stdout


def test_summaries_alone_go_to_a_file_of_their_own(play: Play, tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    _result, out = play(FakeWorld(), "--summary", str(summary))
    short, long = json.loads(summary.read_text()), json.loads(out.read_text())
    assert "outcomes" in long
    assert short == {name: part for name, part in long.items() if name != "outcomes"}


def test_an_interrupt_keeps_the_outcomes_so_far(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = FakeWorld()

    def kill(_victims: object) -> None:
        if len(world.killed) == 1:
            raise KeyboardInterrupt
        world.killed.append(Victims())

    monkeypatch.setattr(world, "kill", kill)
    result, out = play(world)
    assert result.exit_code == 130
    assert "interrupted after 1 kills" in result.stderr
    assert json.loads(out.read_text())["kills"] == 1
