"""The command line that grades a file of records."""

from pathlib import Path

import pytest

from sre_autopilot import grading
from sre_autopilot.grading import EpisodeRecord, grade
from sre_autopilot.world.vocabulary import WORLD_VERSION
from tests.sre_autopilot.grading.episodes import (
    AUTH,
    BREAK,
    DB,
    LEAK,
    NOTHING,
    RESTART,
    ROLLBACK,
    SCALE_UP,
    cured,
    did,
    episode,
)


def _file(folder: Path, *records: EpisodeRecord) -> str:
    path = folder / "run.jsonl"
    path.write_text("".join(f"{line}\n" for r in records for line in grading.dump_lines(r)))
    return str(path)


def _scored(record: EpisodeRecord) -> EpisodeRecord:
    return record.model_copy(update={"score": grade(record).total})


def test_grader_prints_a_line_an_episode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = _scored(episode(actions={1: cured(RESTART, DB, 1)}, last=3))
    assert grading.main([_file(tmp_path, good, _scored(episode([NOTHING])))]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("medium seed=7 backend=paper policy=someone total=0.966 sla=1.000")
    assert "recovered_at=1" in first
    assert second.startswith("control")


def test_explain_names_every_lost_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    actions = {2: did(ROLLBACK, AUTH), 3: did(SCALE_UP, DB), 4: cured(ROLLBACK, DB, 4)}
    record = episode(actions=actions, missed=lambda step: [DB] * (step < 4))
    assert grading.main([_file(tmp_path, record), "--explain"]) == 0
    printed = capsys.readouterr().out
    for reason in (
        "sla: user_db missed it in 3 of 30 windows",
        "speed: recovered at step 4",
        "budget: spent 18 of 10 units",
        "root_cause: db_connection_leak at user_db was cured by rollback",
    ):
        assert reason in printed
    assert printed.count("\n") == 1 + len(grade(record).reasons)


def test_every_kind_of_wrong_action_has_its_reason() -> None:
    blamed = [
        ([LEAK], did(BREAK, AUTH), "step 2: circuit_break on auth_service, which is no root"),
        ([LEAK], did(SCALE_UP, DB), "step 2: scale_up on user_db, which did not help"),
        ([NOTHING], did(RESTART, DB), "step 2: restart on user_db, where nothing was wrong"),
    ]
    for faults, action, blame in blamed:
        cure = {3: cured(RESTART, DB, 3)} if LEAK in faults else {}
        reasons = dict(
            (reason, pts) for pts, reason in grade(episode(faults, {2: action, **cure})).reasons
        )
        assert reasons[f"root_cause: {blame}"] > 0.09


def test_a_stored_score_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = episode().model_copy(update={"score": 0.99})
    assert grading.main([_file(tmp_path, record)]) == 1
    assert "stored score is 0.99" in capsys.readouterr().out


def test_a_record_of_another_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = episode().model_copy(update={"world_version": "0", "finished": False})
    assert grading.main([_file(tmp_path, older)]) == 0
    printed = capsys.readouterr().out
    assert f"played in world version 0, graded by {WORLD_VERSION}" in printed
    assert "unfinished" in printed


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", None])
def test_a_bad_file_is_status_two(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert grading.main([str(path)]) == 2
    assert "run.jsonl" in capsys.readouterr().err
