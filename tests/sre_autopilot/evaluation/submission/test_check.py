"""A submission passes as it was made, and each way to tamper with it is refused by field."""

import json
import shutil
from hashlib import sha256
from typing import Any

import pytest

from orchestrator.environment import Environment
from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.submission.check import checked
from sre_autopilot.evaluation.submission.document import SUBMISSION, Submission
from sre_autopilot.evaluation.submission.make import chosen, write
from sre_autopilot.grading import Validity, Verdict, grade, read_episodes
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier

FIRST = SEED_SPLITS["test"].start
POLICY = "oracle"
RECORD = f"records/easy-{FIRST}.jsonl"


def played(seeds, tier=Tier.EASY, policy=POLICY):
    with Environment(SimulatorBackend) as environment:
        return [play(environment, load_policy(policy), tier, seed)[0] for seed in seeds]


@pytest.fixture(scope="module")
def records():
    return played((FIRST, FIRST + 1))


@pytest.fixture(scope="module")
def whole(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "submission"
    write(chosen(records, POLICY), folder, POLICY, "1", tokens=None)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "submission")


def edit(folder, change):
    """Changes what submission.json holds."""
    file = folder / SUBMISSION
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def edit_record(folder, change):
    """Changes the lines of the first record, and names its new hash."""
    lines = [json.loads(line) for line in (folder / RECORD).read_text().splitlines()]
    changed = change(lines) or lines
    content = "\n".join(json.dumps(line) for line in changed) + "\n"
    (folder / RECORD).write_text(content)
    digest = sha256(content.encode()).hexdigest()
    edit(folder, lambda said: said["episodes"][0].update(sha256=digest))


def refusal(folder):
    with pytest.raises(InvalidValue) as raised:
        checked(folder)
    return str(raised.value)


def test_a_submission_passes_as_folder_and_as_file(whole, records):
    results = checked(whole)
    assert [(r.policy, r.tier, r.seed) for r in results] == [
        (POLICY, Tier.EASY, record.seed) for record in records
    ]
    assert [r.score for r in results] == pytest.approx([record.score for record in records])
    assert checked(whole / SUBMISSION) == results
    assert Submission.read(whole).scores[Tier.EASY] == pytest.approx(
        sum(record.score for record in records) / 2, abs=1e-6
    )


FRAMES = {
    "world_version": lambda said: said.update(world_version="0"),
    "format": lambda said: said.update(format=2),
    "policy": lambda said: said.pop("policy"),
    "colour": lambda said: said.update(colour="red"),
    "first_seed": lambda said: said.update(first_seed=5),
    "seed_count must be such that all seeds are of the test split": lambda said: said.update(
        seed_count=10**12
    ),
    "tiers must be tiers that come once": lambda said: said.update(tiers=["easy", "easy"]),
    "episodes must be complete: easy 200002": lambda said: said.update(seed_count=3),
    "episodes.1.seed must be a seed of the submission's range, once": lambda said: said[
        "episodes"
    ].__setitem__(1, said["episodes"][0]),
    "episodes.1.file must be a file of its own": lambda said: said["episodes"][1].update(
        file=RECORD
    ),
    "episodes.0.tier": lambda said: said["episodes"][0].update(tier="brutal"),
    "episodes.0.file must be a file in the submission's folder": lambda said: said["episodes"][
        0
    ].update(file="../submission.json"),
    "episodes.0.sha256": lambda said: said["episodes"][0].update(sha256="00"),
    "episodes.0.score": lambda said: said["episodes"][0].update(score=0.99),
    "episodes.0.validity": lambda said: said["episodes"][0].update(validity="unknown"),
    "episodes.0.file: backend": lambda said: said.update(backend="process"),
    "scores.easy": lambda said: said["scores"].update(easy=0.99),
    "scores must be a mean for each of the tiers": lambda said: said["scores"].update(hard=0.9),
}
"""The beginning of the refusal -> what is changed in submission.json."""


@pytest.mark.parametrize("beginning", FRAMES)
def test_a_changed_field_is_refused_by_name(folder, beginning):
    edit(folder, FRAMES[beginning])
    text = refusal(folder)
    assert text.startswith(beginning) and " must be " in text


def scored_higher(lines):
    lines[-1]["score"] = 0.99


def windows_mended(lines):
    for line in lines[1:-1]:
        for service in line["true"].values():
            service["sla_met"] = True


def without_its_end(lines):
    return lines[:-1]


def twice(lines):
    return lines * 2


def another_seed(lines):
    lines[0]["seed"] += 7


def another_fault(lines):
    for line in (lines[0], lines[-1]):
        line["faults"][0]["root"] = "user_db"


def cured_earlier(lines):
    lines[-1]["faults"][0]["cured_at"] -= 1


def shorter(lines):
    lines[0]["max_steps"] = 10


def contended_but_valid(lines):
    for line in lines[1:-1]:
        line["contended"] = True


def one_action_less(lines):
    acted = next(line for line in lines[2:-1] if line["action"]["cures"])
    lines[-1]["faults"][0] |= {"cured_at": None, "cured_by": None}
    acted["action"] |= {"cures": [], "cure_step": None, "action": "wait", "service_id": None}


@pytest.mark.parametrize(
    ("change", "beginning"),
    [
        (scored_higher, "episodes.0.file: score"),
        (windows_mended, "episodes.0.file: score"),
        (without_its_end, "episodes.0.file: finished"),
        (twice, "episodes.0.file must be a record of one episode"),
        (another_seed, "episodes.0.file: seed"),
        (another_fault, "episodes.0.file: faults"),
        (cured_earlier, "episodes.0.file: faults.0.cured_at"),
        (shorter, "episodes.0.file: max_steps"),
        (contended_but_valid, "episodes.0.file: validity"),
        (one_action_less, "episodes.0.file: score"),
        (lambda lines: [*lines[:1], {}, *lines[1:]], "episodes.0.file must be a record (line 2"),
    ],
)
def test_a_changed_record_with_its_hash_is_refused_by_field(folder, change, beginning):
    edit_record(folder, change)
    assert refusal(folder).startswith(beginning)


def test_windows_that_the_simulator_does_not_play_are_refused(folder, records):
    """Scores, hashes and means agree with the edited windows; the replay does not."""

    def mended(lines):
        windows_mended(lines)
        lines[-1]["score"] = graded("\n".join(map(json.dumps, lines)))

    edit_record(folder, mended)
    score = graded((folder / RECORD).read_text())
    mean = (score + records[1].score) / 2
    edit(folder, lambda said: said["episodes"][0].update(score=score))
    edit(folder, lambda said: said["scores"].update(easy=mean))
    assert refusal(folder).startswith("episodes.0.file: steps must be those that the simulator")


def graded(text):
    return grade(next(read_episodes(text.splitlines()))).total


def test_a_changed_byte_is_refused_by_its_hash(folder):
    with (folder / RECORD).open("a") as file:
        file.write("\n")
    assert refusal(folder).startswith("episodes.0.sha256 must be that of")


@pytest.mark.parametrize("content", ["", "[]", "words"])
def test_a_file_that_is_no_submission_is_refused(folder, content):
    (folder / SUBMISSION).write_text(content)
    assert "what the schema says" in refusal(folder)


def test_a_folder_without_a_submission_is_refused(tmp_path):
    assert SUBMISSION in refusal(tmp_path)


def test_records_of_one_policy_are_chosen_the_first_of_each_seed(records):
    first, second = records
    again = first.model_copy(update={"episode_id": "again"})
    nameless = second.model_copy(update={"policy": None})
    other = first.model_copy(update={"policy": "runbook", "seed": FIRST + 5})
    contended = Validity(verdict=Verdict.CONTENDED)
    changes: tuple[dict[str, Any], ...] = (
        {"finished": False},
        {"world_version": "0"},
        {"validity": contended},
        {"seed": 3},
    )
    unfit = [
        first.model_copy(update={"seed": FIRST + number, **update})
        for number, update in enumerate(changes, start=10)
    ]
    by_episode = chosen([first, again, nameless, other, *unfit], POLICY)
    assert list(by_episode.values()) == [first, nameless]
    with pytest.raises(InvalidValue, match="policy must be one with finished, valid records"):
        chosen(unfit, POLICY)
    with pytest.raises(InvalidValue, match="records of one backend"):
        chosen([first, second.model_copy(update={"backend": "process"})], POLICY)
