"""Checks a submission: hashes, seeds, worlds, and every score anew from its record."""

import math
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.results import Result
from sre_autopilot.evaluation.submission.document import Submission, SubmittedEpisode
from sre_autopilot.evaluation.submission.record_checks import SAME, check_record
from sre_autopilot.grading import EpisodeRecord, RecordError, read_episodes
from sre_autopilot.world.vocabulary import SEED_SPLITS, WORLD_VERSION

SPLIT = "test"


def checked(path: Path, advance: Callable[[], object] = lambda: None) -> list[Result]:
    """The results of a submission that passes: one for each of its episodes, in its order.

    path: its folder, or its file. advance: called after each record.
    Raises InvalidValue, which names the first field that is wrong and what it must be.
    """
    submission = Submission.read(path)
    folder = path if path.is_dir() else path.parent
    _check_frame(submission)
    _check_complete(submission)
    results = []
    for number, episode in enumerate(submission.episodes):
        field = f"episodes.{number}"
        record = _record(folder, episode, field)
        check_record(record, submission, episode, field)
        results.append(Result.of(record, submission.policy))
        advance()
    _check_means(submission, results)
    return results


def _check_frame(submission: Submission) -> None:
    version, split = submission.world_version, SEED_SPLITS[SPLIT]
    if version != WORLD_VERSION:
        expected = f"{WORLD_VERSION!r}: scores of two versions are never compared"
        raise InvalidValue("world_version", version, expected)
    if len(set(submission.tiers)) < len(submission.tiers):
        raise InvalidValue("tiers", [*map(str, submission.tiers)], "tiers that come once")
    for field, seed in (
        ("first_seed", submission.first_seed),
        ("seed_count", submission.first_seed + submission.seed_count - 1),
    ):
        if seed not in split:
            expected = f"such that all seeds are of the {SPLIT} split, {split[0]} to {split[-1]}"
            raise InvalidValue(field, getattr(submission, field), expected)


def _check_complete(submission: Submission) -> None:
    """Every tier on every seed, once."""
    first, count = submission.first_seed, submission.seed_count
    left = {(tier, seed) for tier in submission.tiers for seed in range(first, first + count)}
    files: set[str] = set()
    for number, episode in enumerate(submission.episodes):
        played = episode.tier, episode.seed
        if played not in left:
            expected = "a seed of the submission's range, once on each of its tiers"
            value = f"{episode.tier} {episode.seed}"
            raise InvalidValue(f"episodes.{number}.seed", value, expected)
        if episode.file in files:
            raise InvalidValue(f"episodes.{number}.file", episode.file, "a file of its own")
        left.remove(played)
        files.add(episode.file)
    if left:
        tier, seed = min(left, key=lambda each: (each[1], each[0]))
        expected = f"complete: {tier} {seed} and {len(left) - 1} others are missing"
        raise InvalidValue("episodes", f"{len(submission.episodes)} episodes", expected)


def _record(folder: Path, episode: SubmittedEpisode, field: str) -> EpisodeRecord:
    file = (folder / episode.file).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise InvalidValue(f"{field}.file", episode.file, "a file in the submission's folder")
    content = file.read_bytes()
    digest = sha256(content).hexdigest()
    if digest != episode.sha256:
        raise InvalidValue(f"{field}.sha256", episode.sha256, f"that of {episode.file}, {digest}")
    try:
        records = list(read_episodes(content.decode("utf-8").splitlines()))
    except (RecordError, UnicodeDecodeError) as error:
        raise InvalidValue(f"{field}.file", episode.file, f"a record ({error})") from error
    if len(records) != 1:
        raise InvalidValue(f"{field}.file", f"{len(records)} episodes", "a record of one episode")
    return records[0]


def _check_means(submission: Submission, results: list[Result]) -> None:
    if submission.scores.keys() != set(submission.tiers):
        raise InvalidValue("scores", [*submission.scores], "a mean for each of the tiers")
    for tier, mean in submission.scores.items():
        graded = [result.score for result in results if result.tier == tier]
        expected = sum(graded) / len(graded)
        if not math.isclose(mean, expected, abs_tol=SAME):
            raise InvalidValue(f"scores.{tier}", mean, f"{expected:.6f}, as the records say")
