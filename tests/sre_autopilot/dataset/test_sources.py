"""Episodes come from the simulator by a plan, and from files of records in their order."""

import pytest

from sre_autopilot.dataset.sources import Plan, played, record_files, recorded
from sre_autopilot.errors import UnknownName
from sre_autopilot.grading import RecordError, Verdict, dump_lines
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.cli.terminal import simulated


@pytest.fixture(scope="module")
def record():
    record, _score = simulated("oracle", Tier.EASY, 3)
    return record


def write(file, *records):
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [line for record in records for line in dump_lines(record)]
    file.write_text("\n".join(lines) + "\n")
    return file


def test_a_plan_is_played_seed_by_seed_under_names_that_repeat():
    plan = Plan(["oracle", "wait"], [Tier.EASY], range(2))
    first, second = ([(r.episode_id, s.total) for r, s in played(plan)] for _ in range(2))
    assert first == second
    assert len(first) == plan.episodes == 4
    assert [name for name, _score in first] == [
        f"simulator-{policy}-{Tier.EASY}-{seed}" for seed in (0, 1) for policy in plan.policies
    ]


def test_a_policy_that_does_not_exist_is_named_before_anything_is_played():
    with pytest.raises(UnknownName, match="nobody"):
        next(played(Plan(["nobody"], [Tier.EASY], range(1))))


def test_only_finished_episodes_that_count_are_taken(tmp_path, record):
    verdict = {"validity": record.checked_validity.model_copy(update={"verdict": Verdict.BROKEN})}
    unfinished, broken = ({"finished": False, "score": None}, verdict)
    others = [record.model_copy(update=update) for update in (unfinished, broken)]
    file = write(tmp_path / "several.jsonl", *others, record)
    ((taken, score),) = recorded([file])
    assert taken.episode_id == record.episode_id
    assert score.total == pytest.approx(record.score)


def test_a_file_that_is_no_record_is_named(tmp_path):
    (tmp_path / "noise.jsonl").write_text("[]\n")
    with pytest.raises(RecordError, match=r"noise\.jsonl: line 1"):
        list(recorded([tmp_path / "noise.jsonl"]))


def test_folders_stand_for_the_records_in_them_and_none_is_taken_twice(tmp_path, record):
    inner = write(tmp_path / "folder/inner/b.jsonl", record)
    outer = write(tmp_path / "folder/a.jsonl", record)
    (tmp_path / "folder/notes.txt").write_text("no record")
    assert record_files([inner, tmp_path / "folder"]) == [inner, outer]
    assert record_files([]) == []
