"""A record that cannot be written ends the recording, says so once, and never the episode."""

import logging
from pathlib import Path

import pytest

from orchestrator.recorder import Recorder
from sre_autopilot import grading
from tests.sre_autopilot.grading.episodes import episode

FULL_DISK = Path("/dev/full")


def record_whole(recorder: Recorder, record: grading.EpisodeRecord) -> None:
    for step in record.steps:
        recorder.step(step)
    recorder.end(record)


def test_a_written_episode_is_read_back(tmp_path: Path) -> None:
    record = episode(last=3)
    record_whole(Recorder(tmp_path / "new" / "folder", record), record)
    lines = (tmp_path / "new" / "folder" / f"{record.episode_id}.jsonl").read_text().splitlines()
    assert list(grading.read_episodes(lines)) == [record]


def test_a_record_and_its_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    Recorder(tmp_path / "folder", episode(last=3)).close()
    (file,) = (tmp_path / "folder").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_record_of_the_same_name_is_kept(tmp_path: Path) -> None:
    record = episode(last=3)
    for _ in range(2):
        record_whole(Recorder(tmp_path, record), record)
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {f"{record.episode_id}.jsonl", f"{record.episode_id}.2.jsonl"}


def test_a_folder_that_cannot_be_made_costs_the_record_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    record = episode(last=3)
    record_whole(Recorder(tmp_path / "file", record), record)
    assert [entry.levelno for entry in caplog.records] == [logging.WARNING]
    assert record.episode_id in caplog.text


def test_a_full_disk_costs_the_rest_of_the_record_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = episode(last=3)
    recorder = Recorder(tmp_path, record)
    recorder.step(record.steps[0])
    recorder.close()
    recorder._file = FULL_DISK.open("w", encoding="ascii")
    record_whole(recorder, record)
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text
    (file,) = tmp_path.iterdir()
    (left,) = grading.read_episodes(file.read_text().splitlines())
    assert left.aborted and left.steps == record.steps[:1]
