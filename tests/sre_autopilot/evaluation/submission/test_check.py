"""A submission passes as it was made, and each way to tamper with it is refused by field."""

from typing import Any

import pytest

from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.submission.check import checked
from sre_autopilot.evaluation.submission.document import SUBMISSION, Submission
from sre_autopilot.evaluation.submission.make import chosen
from sre_autopilot.grading import Validity, Verdict
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.evaluation.submission.tampering import FIRST, POLICY, RECORD, edit, refusal


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
