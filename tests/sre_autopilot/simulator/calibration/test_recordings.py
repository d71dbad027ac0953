"""A recording keeps the truth of an episode, and is read as it was written."""

from dataclasses import fields

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from typer.testing import CliRunner

from sre_autopilot import grading
from sre_autopilot.cli.dev.pack_recordings import command
from sre_autopilot.cli.errors import BadInput
from sre_autopilot.grading import TrueService, Validity, Verdict
from sre_autopilot.simulator.calibration.recordings import (
    COLUMNS,
    Key,
    Recording,
    RecordingsError,
    read,
    write,
)
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.grading.episodes import AUTH, DB, RESTART, WAIT, did, episode, episodes

ACTIONS = {2: did(RESTART, DB), 4: did(RESTART, AUTH, accepted=False, error="no restart left")}


def same(one, other):
    """Whether two recordings are alike, nan for nan."""
    plain = (f.name for f in fields(Recording) if f.name != "true")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and np.array_equal(
        one.true, other.true, equal_nan=True
    )


def written(folder, name, record):
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(grading.dump_lines(record)) + "\n")
    return path


@pytest.fixture
def gather():
    app = typer.Typer()
    app.command()(command)

    def invoke(*arguments):
        return CliRunner(env={"COLUMNS": "300"}).invoke(app, [str(a) for a in arguments])

    return invoke


def test_a_recording_has_the_truth_of_every_window():
    record = episode(missed=lambda step: [AUTH] if step == 3 else [])
    true = Recording.of(record).true
    assert true.shape == (len(record.steps), len(Service), len(COLUMNS))
    assert true.dtype == np.float32
    for step in record.steps:
        for index, service in enumerate(Service):
            for column, value in zip(COLUMNS, true[step.step, index], strict=True):
                recorded = getattr(step.true[service], column)
                assert np.isnan(value) if recorded is None else value == pytest.approx(recorded)


def test_the_columns_are_fields_of_the_truth():
    assert set(COLUMNS) <= TrueService.model_fields.keys()


def test_a_recording_has_the_actions_from_step_1_on():
    record = episode(actions=ACTIONS, last=4)
    assert Recording.of(record).actions == (
        (WAIT, None, True),
        (RESTART, DB, True),
        (WAIT, None, True),
        (RESTART, AUTH, False),
    )


def test_key_is_policy_tier_and_seed():
    assert Recording.of(episode()).key == Key("someone", Tier.MEDIUM, 7)


def test_score_is_kept_or_graded_where_it_is_missing():
    record = episode(actions=ACTIONS)
    assert Recording.of(record).score == grading.grade(record).total
    assert Recording.of(record.model_copy(update={"score": 0.25})).score == 0.25


def test_record_without_a_policy_has_an_empty_name():
    assert Recording.of(episode().model_copy(update={"policy": None})).policy == ""


def test_unfinished_episode_is_an_error():
    with pytest.raises(ValueError, match="e1 is not finished"):
        Recording.of(episode().model_copy(update={"finished": False}))


@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(one=episodes(), other=episodes())
def test_recordings_are_read_as_they_were_written(one, other, tmp_path):
    kept = [Recording.of(one), Recording.of(other)]
    write(tmp_path / "kept.npz", kept)
    again = read(tmp_path / "kept.npz")
    assert len(again) == len(kept)
    assert all(same(*pair) for pair in zip(again, kept, strict=True))


def test_equal_recordings_make_equal_bytes(tmp_path):
    kept = [Recording.of(episode(actions=ACTIONS)), Recording.of(episode(last=3))]
    for name in ("one.npz", "two.npz"):
        write(tmp_path / name, kept)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_file_has_the_name_that_was_asked_for(tmp_path):
    path = tmp_path / "folder" / "kept.data"
    write(path, [Recording.of(episode())])
    assert [p.name for p in path.parent.iterdir()] == ["kept.data"]


def test_no_recordings_make_no_file(tmp_path):
    with pytest.raises(RecordingsError, match=r"kept\.npz"):
        write(tmp_path / "kept.npz", [])
    assert not (tmp_path / "kept.npz").exists()


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 and no more"])
def test_a_broken_file_is_named(content, tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(RecordingsError, match=r"broken\.npz"):
        read(path)


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "kept.npz"
    write(path, [Recording.of(episode())])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RecordingsError, match=r"kept\.npz"):
        read(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"columns": np.array(["calls"])}, "columns"),
        ({"services": np.array(["somebody"])}, "somebody"),
        ({"steps": np.array([7])}, "not as long"),
        ({"tier": np.array(["no tier"])}, "no tier"),
        ({"service": None}, "'service'"),
    ],
)
def test_a_file_of_something_else_is_named_with_the_reason(change, reason, tmp_path):
    path = tmp_path / "kept.npz"
    write(path, [Recording.of(episode())])
    with np.load(path) as arrays:
        changed = {k: v for k, v in {**arrays, **change}.items() if v is not None}
    np.savez(path, **changed)
    with pytest.raises(RecordingsError, match=rf"kept\.npz.*{reason}"):
        read(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        read(tmp_path / "none.npz")


def test_episodes_that_count_are_gathered_in_order_of_their_keys(gather, tmp_path):
    for seed in (9, 3, 5):
        written(tmp_path, f"e{seed}", episode().model_copy(update={"seed": seed}))
    abandoned = episode(last=2).model_copy(update={"finished": False})
    written(tmp_path, "abandoned", abandoned)
    running = written(tmp_path, "running", episode())
    running.write_text(running.read_text()[:-700])
    busy = Validity(verdict=Verdict.CONTENDED, contended_windows=9, windows=31)
    written(tmp_path, "contended", episode().model_copy(update={"validity": busy}))
    out = tmp_path / "kept.npz"
    done = gather(tmp_path, "--out", out)
    assert done.exit_code == 0, done.output
    assert [recording.seed for recording in read(out)] == [3, 5, 9]
    assert "3 episodes" in done.output
    assert "3 left out" in done.output


def test_folders_add_up(gather, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, "e", episode())
    out = tmp_path / "kept.npz"
    assert gather(tmp_path / "one", tmp_path / "two", "--out", out).exit_code == 0
    assert len(read(out)) == 2


def test_new_episodes_join_earlier_recordings(gather, tmp_path):
    written(tmp_path, "e", episode())
    kept = tmp_path / "kept.npz"
    write(kept, [Recording.of(episode(last=3))])
    assert gather(kept, tmp_path, "--out", kept).exit_code == 0
    lengths = [len(recording.actions) for recording in read(kept)]
    assert lengths == [len(Recording.of(each).actions) for each in (episode(last=3), episode())]


def test_file_that_is_no_record_is_named(gather, tmp_path):
    (tmp_path / "results.jsonl").write_text('{"score": 1}\n')
    done = gather(tmp_path, "--out", tmp_path / "kept.npz")
    assert isinstance(done.exception, BadInput)
    assert "results.jsonl: line 1" in str(done.exception)


def test_missing_folder_is_named(gather, tmp_path):
    done = gather(tmp_path / "nowhere", "--out", tmp_path / "kept.npz")
    assert isinstance(done.exception, BadInput)
    assert "nowhere" in str(done.exception)


@pytest.mark.parametrize("field", ["backend", "world_version"])
def test_episodes_of_two_worlds_are_not_mixed(field, gather, tmp_path):
    written(tmp_path, "one", episode())
    written(tmp_path, "two", episode().model_copy(update={field: "another"}))
    done = gather(tmp_path, "--out", tmp_path / "kept.npz")
    assert isinstance(done.exception, BadInput)
    assert "another" in str(done.exception)


def test_an_empty_folder_is_an_error(gather, tmp_path):
    done = gather(tmp_path, "--out", tmp_path / "kept.npz")
    assert isinstance(done.exception, BadInput)
