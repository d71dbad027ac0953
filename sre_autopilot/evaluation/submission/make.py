"""Makes a submission of records: one finished, valid episode for each tier and seed."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.submission.document import RECORDS, Submission, SubmittedEpisode
from sre_autopilot.grading import EpisodeRecord, Verdict, dump_lines, grade
from sre_autopilot.world.vocabulary import SEED_SPLITS, WORLD_VERSION, Tier

Chosen = dict[tuple[Tier, int], EpisodeRecord]


def chosen(records: Iterable[EpisodeRecord], policy: str) -> Chosen:
    """Of a policy's records (and those that name none), the first one of each tier and seed that
    is finished, valid, of this world version and of the test split, in the order of time.

    Raises InvalidValue where nothing is left, and for records of several backends.
    """
    fitting = [record for record in records if record.policy in (policy, None) and _fits(record)]
    if not fitting:
        expected = "one with finished, valid records of this world version, on seeds of tests"
        raise InvalidValue("policy", policy, expected)
    backends = sorted({record.backend for record in fitting})
    if len(backends) > 1:
        raise InvalidValue("records", ", ".join(backends), "records of one backend")
    by_episode: Chosen = {}
    for record in sorted(fitting, key=lambda record: record.steps[0].began_at or 0.0):
        by_episode.setdefault((record.tier, record.seed), record)
    return by_episode


def _fits(record: EpisodeRecord) -> bool:
    return (
        record.finished
        and len(record.steps) > 1
        and record.world_version == WORLD_VERSION
        and record.seed in SEED_SPLITS["test"]
        and record.checked_validity.verdict is Verdict.VALID
    )


def write(
    by_episode: Chosen, folder: Path, policy: str, version: str, *, tokens: int | None = None
) -> Submission:
    """Writes the records and the submission into a folder that is made. Raises OSError."""
    (folder / RECORDS).mkdir(parents=True)
    tiers = tuple(tier for tier in Tier if any(tier == each for each, _seed in by_episode))
    seeds = [seed for _tier, seed in by_episode]
    ordered = sorted(by_episode, key=lambda each: (each[1], tiers.index(each[0])))
    episodes = [_written(by_episode[key], folder) for key in ordered]
    submission = Submission(
        format=1,
        policy=policy,
        policy_version=version,
        world_version=WORLD_VERSION,
        backend=next(iter(by_episode.values())).backend,
        tiers=tiers,
        first_seed=min(seeds),
        seed_count=max(seeds) - min(seeds) + 1,
        scores={tier: _mean(episodes, tier) for tier in tiers},
        tokens=tokens,
        episodes=tuple(episodes),
    )
    submission.write(folder)
    return submission


def _written(record: EpisodeRecord, folder: Path) -> SubmittedEpisode:
    file = f"{RECORDS}/{record.tier}-{record.seed}.jsonl"
    content = "".join(f"{line}\n" for line in dump_lines(record)).encode()
    (folder / file).write_bytes(content)
    return SubmittedEpisode(
        file=file,
        sha256=sha256(content).hexdigest(),
        tier=record.tier,
        seed=record.seed,
        score=round(grade(record).total, 6),
        validity=record.checked_validity.verdict,
    )


def _mean(episodes: Sequence[SubmittedEpisode], tier: Tier) -> float:
    scores = [episode.score for episode in episodes if episode.tier == tier]
    return round(sum(scores) / len(scores), 6)
