"""The record's file, and the command line that reads it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from sre_autopilot import grading
from sre_autopilot.grading import EpisodeRecord, StepRecord, grade
from tests.sre_autopilot.grading.episodes import (
    AUTH,
    DB,
    FLAP,
    NOTHING,
    OOM,
    RESTART,
    cured,
    episode,
    episodes,
    truth,
)


@given(episodes())
def test_a_record_survives_being_written_and_read(record: EpisodeRecord) -> None:
    assert list(grading.read_episodes(grading.dump_lines(record))) == [record]


def test_a_file_holds_one_episode_after_the_other() -> None:
    records = [episode(), episode([NOTHING], last=4), episode([OOM, FLAP])]
    lines = [line + "\n" for record in records for line in grading.dump_lines(record)]
    assert list(grading.read_episodes(lines)) == records


def test_lines_are_plain_and_in_order() -> None:
    record = episode(actions={1: cured(RESTART, DB, 1)}, last=3)
    parsed = [json.loads(line) for line in grading.dump_lines(record)]
    assert [line["type"] for line in parsed] == ["episode", *["step"] * 4, "end"]
    assert all("\n" not in line and line.isascii() for line in grading.dump_lines(record))


def test_a_record_without_times_and_traces_is_read() -> None:
    record = _timed(episode(last=3))
    lines = [json.loads(line) for line in grading.dump_lines(record)]
    assert lines[1]["began_at"] == 100.5 and lines[1]["edges"][0]["trace_id"] == "ab"
    for line in lines[1:-1]:
        del line["began_at"], line["ended_at"]
        for edge in line["edges"]:
            del edge["trace_id"]
    (older,) = grading.read_episodes(map(json.dumps, lines))
    assert older.steps[1].began_at is None and older.steps[1].edges[0].trace_id is None
    assert grade(older) == grade(record)


def test_times_and_traces_are_read_as_written() -> None:
    record = _timed(episode(last=3))
    assert list(grading.read_episodes(grading.dump_lines(record))) == [record]


def test_a_record_without_figures_of_the_host_is_read() -> None:
    figures = grading.HostFigures(
        window_ms=500.0, run_queue_wait_ms={"a-0": 1.5}, lateness_p99_ms=2.5
    )
    steps = [
        step.model_copy(update={"host": figures, "contended": False}) for step in episode().steps
    ]
    record = episode().model_copy(
        update={"steps": tuple(steps), "validity": grading.validity_of(steps)}
    )
    assert list(grading.read_episodes(grading.dump_lines(record))) == [record]
    lines = [json.loads(line) for line in grading.dump_lines(record)]
    assert "validity" not in lines[0]
    assert lines[-1].pop("validity")["verdict"] == grading.Verdict.VALID
    for line in lines[1:-1]:
        del line["host"], line["contended"]
    (older,) = grading.read_episodes(map(json.dumps, lines))
    assert older.validity is None
    assert older.steps[1].host is None and older.steps[1].contended is None
    assert grade(older) == grade(record)


def _timed(record: EpisodeRecord) -> EpisodeRecord:
    """With the ends of each window, and an edge in it."""
    edge = grading.TrueEdge(
        caller=AUTH, callee=DB, calls=2, failed=1, served=1, latency_p99=5.0, trace_id="ab"
    )
    steps = [
        step.model_copy(
            update={"began_at": step.step + 100.5, "ended_at": step.step + 101.25, "edges": (edge,)}
        )
        for step in record.steps
    ]
    return record.model_copy(update={"steps": tuple(steps)})


def test_traces_are_stored_where_there_are_any() -> None:
    call = grading.TracedCall(caller=AUTH, callee=DB, start_ms=0.0, latency_ms=5.0, failed=True)
    plain = _timed(episode(last=3))
    steps = [step.model_copy(update={"traces": {"ab": (call,)}}) for step in plain.steps[:1]]
    record = plain.model_copy(update={"steps": (*steps, *plain.steps[1:])})
    lines = list(grading.dump_lines(record))
    assert ["traces" in json.loads(line) for line in lines] == [False, True, *[False] * 4]
    assert list(grading.read_episodes(lines)) == [record]


def test_the_first_line_does_not_know_the_end() -> None:
    record = episode(actions={1: cured(RESTART, DB, 1)}, last=3)
    begun = episode(last=0).model_copy(update={"steps": (), "finished": False})
    assert grading.header_line(record) == grading.header_line(begun)


def _broken(change: Callable[[list[str]], Any]) -> list[str]:
    lines = list(grading.dump_lines(episode(last=3)))
    change(lines)
    return lines


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines.pop(0), "line 1: a line of type 'step' is out of place"),
        (lambda lines: lines.insert(2, lines[0]), "line 3: a line of type 'episode' is out of"),
        (lambda lines: lines.append(lines[-1]), "line 7: a line of type 'end' is out of place"),
        (lambda lines: lines.__setitem__(3, lines[3][:40]), "line 4: broken JSON: .* column 40"),
        (lambda lines: lines.insert(0, "# SRE"), "line 1 is not JSON: this is no record"),
        (lambda lines: lines.insert(1, "[]"), "line 2: not a line of an episode"),
        (
            lambda lines: lines.insert(1, '{"type": "log"}'),
            "line 2: a line of type 'log' is out of",
        ),
        (lambda lines: lines.pop(2), "line 3: .*count from 0 without a gap"),
        (
            lambda lines: lines.__setitem__(0, '{"type": "episode"}'),
            "line 1: episode_id: Field req",
        ),
    ],
    ids=["no head", "two heads", "two ends", "torn", "text", "list", "alien", "gap", "empty"],
)
def test_a_broken_file_names_the_line(change: Callable[[list[str]], Any], message: str) -> None:
    with pytest.raises(grading.RecordError, match=message):
        list(grading.read_episodes(_broken(change)))


@pytest.mark.parametrize("torn", ["", '{"type": "step", "st'])
def test_a_file_that_ends_within_an_episode_holds_an_aborted_one(torn: str) -> None:
    lines = _broken(list[str].pop)
    (aborted,) = grading.read_episodes([*lines, torn][: len(lines) + bool(torn)])
    whole = episode(last=3)
    assert aborted.aborted and not aborted.finished and aborted.score is None
    assert aborted.steps == whole.steps
    assert grading.grade(aborted).total <= grading.grade(whole).total


def test_an_aborted_record_keeps_the_cures_that_its_actions_tell() -> None:
    record = episode(actions={1: cured(RESTART, DB, 1)}, last=3)
    lines = list(grading.dump_lines(record))
    (aborted,) = grading.read_episodes(lines[:-1])
    assert aborted.faults == record.faults
    assert aborted.faults[0].cured_by is not None


def test_an_episode_without_a_step_is_none() -> None:
    assert list(grading.read_episodes([grading.header_line(episode())])) == []


def test_whether_it_was_aborted_is_not_written() -> None:
    (aborted,) = grading.read_episodes(_broken(list[str].pop))
    assert "aborted" not in "".join(grading.dump_lines(aborted))


def test_whole_episodes_before_the_break_are_read() -> None:
    lines = [*grading.dump_lines(episode()), "[]"]
    episodes = grading.read_episodes(lines)
    assert next(episodes) == episode()
    with pytest.raises(grading.RecordError):
        next(episodes)


def test_a_window_must_tell_of_every_service() -> None:
    with pytest.raises(ValueError, match="every service"):
        StepRecord(step=0, action=None, true={DB: truth()[DB]})


def test_scores_compare_within_one_version() -> None:
    record = episode()
    older = record.model_copy(update={"world_version": "0"})
    assert grading.comparable(record, episode([OOM]))
    assert not grading.comparable(record, older)
