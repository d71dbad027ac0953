"""A trial plays up to its moment, kills in it, and names everything that is wrong afterwards."""

from collections.abc import Callable
from dataclasses import replace
from itertools import repeat
from typing import Any

import pytest

from sre_autopilot.evaluation.chaos_test import trials
from sre_autopilot.evaluation.chaos_test.outcomes import Outcome
from sre_autopilot.evaluation.chaos_test.plan import Moment
from sre_autopilot.evaluation.chaos_test.records import NONE
from sre_autopilot.evaluation.chaos_test.session import HANGS, Answer
from sre_autopilot.evaluation.chaos_test.trials import Trials
from sre_autopilot.evaluation.chaos_test.world import Victims, WorldFailed
from sre_autopilot.world.vocabulary import MAX_STEPS
from tests.sre_autopilot.evaluation.chaos_test.fakes import (
    BROKEN,
    BUG,
    OK,
    REFUSED,
    TRIAL,
    FakeWorld,
    ScriptedSession,
)

pytestmark = pytest.mark.anyio

Script = Callable[..., ScriptedSession]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLEAN_WITHIN_S", "WELL_WITHIN_S", "FIRST_GUESS_S"):
        monkeypatch.setattr(trials, name, 0.01)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    def write(**answers: Any) -> ScriptedSession:
        session = ScriptedSession(**answers)
        monkeypatch.setattr(trials, "Session", session)
        return session

    return write


async def play(world: FakeWorld, moment: Moment = Moment.STEP, **changes: Any) -> Outcome:
    trial = replace(TRIAL, moment=moment, **changes)
    (outcome,) = [outcome async for outcome in Trials(world).play(iter([trial]), 1)]
    return outcome


@pytest.mark.parametrize(
    ("moment", "calls"),
    [
        (Moment.RESET, ["reset", "reset"]),
        (Moment.STEP, ["reset", "wait", "wait", "step", "reset"]),
        (Moment.IDLE, ["reset", "wait", "wait", "wait", "reset"]),
        (Moment.CLOSE, ["reset", "wait", "wait", "close", "reset"]),
        (Moment.LAST_STEP, ["reset", *["wait"] * (MAX_STEPS - 1), "step", "reset"]),
    ],
)
async def test_the_kill_falls_in_its_call_and_a_reset_follows(
    script: Script, moment: Moment, calls: list[str]
) -> None:
    session, world = script(), FakeWorld()
    outcome = await play(world, moment)
    assert outcome.good, outcome
    assert session.calls == calls
    assert len(world.killed) == 1


async def test_half_of_the_resets_start_from_nothing(script: Script) -> None:
    session = script()
    await play(FakeWorld(), Moment.RESET, draw=1)
    assert session.calls == ["close", "reset", "reset"]


@pytest.mark.parametrize(
    ("answer", "ends_server", "good"),
    [
        (OK, False, True),
        (REFUSED, False, True),
        (BROKEN, True, True),
        (BROKEN, False, False),
        (BUG, True, False),
        (Answer(503, "no words", 0.1), False, False),
        (Answer(None, HANGS, 60.0), True, False),
    ],
)
async def test_the_call_gets_an_answer_or_a_clear_failure(
    script: Script, answer: Answer, ends_server: bool, good: bool
) -> None:
    script(step=[answer])
    outcome = await play(FakeWorld(Victims(("part",), ends_server=ends_server)))
    assert outcome.good is good, outcome
    assert outcome.answer.startswith(str(answer.status or answer.text))


async def test_residues_are_named_when_the_time_is_over(script: Script) -> None:
    script()
    outcome = await play(FakeWorld(residues=["port 80"]))
    assert (outcome.clean_s, outcome.residues) == (None, ("port 80",))


@pytest.mark.parametrize(
    ("answer", "ends_server", "fraction", "renewed"),
    [
        (OK, False, 0.0, True),
        (OK, False, 1.0, False),  # it was answered before the kill
        (REFUSED, False, 0.0, False),
        (OK, True, 0.0, False),
    ],
)
async def test_a_reset_that_goes_on_after_a_kill_has_a_new_mesh(
    script: Script, answer: Answer, *, ends_server: bool, fraction: float, renewed: bool
) -> None:
    script(reset=[answer, OK])
    victims = Victims(("part",), ends_server=ends_server)
    world = FakeWorld(residues=["new process"], victims=victims)
    await play(world, Moment.RESET, fraction=fraction)
    assert world.renewed is renewed


@pytest.mark.parametrize(
    ("world", "problem"),
    [
        (FakeWorld(unwell=["two meshes"]), "two meshes"),
        (FakeWorld(record=("none", "line 3: broken")), "line 3: broken"),
    ],
)
async def test_an_unsound_world_or_record_is_a_problem(
    script: Script, world: FakeWorld, problem: str
) -> None:
    script()
    assert (await play(world)).problems == (problem,)


@pytest.mark.parametrize("moment", Moment)
async def test_a_record_may_be_missing_where_the_reset_was_killed_alone(
    script: Script, moment: Moment
) -> None:
    script()
    outcome = await play(FakeWorld(record=(NONE, None)), moment)
    assert outcome.good is (moment is Moment.RESET)


async def test_a_failed_reset_has_no_time(script: Script) -> None:
    script(reset=[OK, REFUSED])
    outcome = await play(FakeWorld())
    assert outcome.reset_s is None
    assert not outcome.good


async def test_a_patient_world_is_asked_again(script: Script) -> None:
    session, world = script(reset=[OK, REFUSED, BROKEN, OK]), FakeWorld()
    world.patience_s = 10.0
    assert (await play(world)).good
    assert session.calls.count("reset") == 4


async def test_trials_that_meet_nothing_do_not_count(script: Script) -> None:
    script()
    world = FakeWorld()
    victims = iter([Victims(), Victims(), Victims(("part",)), *repeat(Victims(("part",)), 9)])
    world.victims = lambda kind, draw: next(victims)  # type: ignore[method-assign]
    played = [outcome async for outcome in Trials(world).play(repeat(TRIAL), 2)]
    assert [outcome.victims for outcome in played] == [("part",), ("part",)]


async def test_an_episode_that_fails_before_its_kill_is_replaced(script: Script) -> None:
    script(wait=[OK, REFUSED, OK])
    world = FakeWorld()
    player = Trials(world)
    outcomes = [outcome async for outcome in player.play(repeat(TRIAL), 2)]
    assert [outcome.good for outcome in outcomes] == [True, True]
    assert (len(world.killed), player.spoilt) == (2, 1)


async def test_a_world_that_fails_all_the_time_ends_the_test(script: Script) -> None:
    script(reset=[REFUSED])
    with pytest.raises(WorldFailed, match="before any kill"):
        _ = [outcome async for outcome in Trials(FakeWorld()).play(repeat(TRIAL), 1)]
