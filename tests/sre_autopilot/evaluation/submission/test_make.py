"""A submission's files say the same as the records that it is made of."""

from hashlib import sha256

import pytest

from sre_autopilot.evaluation.submission.document import SUBMISSION, Submission
from sre_autopilot.evaluation.submission.make import chosen, write
from sre_autopilot.grading import grade, read_episodes
from sre_autopilot.world.vocabulary import SEED_SPLITS, WORLD_VERSION, Tier
from tests.sre_autopilot.cli.terminal import simulated

FIRST = SEED_SPLITS["test"].start


@pytest.fixture(scope="module")
def records():
    return [
        simulated("oracle", tier, seed)[0]
        for seed in (FIRST + 1, FIRST)
        for tier in (Tier.HARD, Tier.EASY)
    ]


def test_tiers_and_seeds_stand_in_order_with_their_means(records, tmp_path):
    made = write(chosen(records, "oracle"), tmp_path / "new", "oracle", "2", tokens=7)
    assert made == Submission.read(tmp_path / "new")
    assert (made.tiers, made.first_seed, made.seed_count) == ((Tier.EASY, Tier.HARD), FIRST, 2)
    assert [(episode.tier, episode.seed) for episode in made.episodes] == [
        (tier, seed) for seed in (FIRST, FIRST + 1) for tier in (Tier.EASY, Tier.HARD)
    ]
    for tier in made.tiers:
        scores = [grade(record).total for record in records if record.tier == tier]
        assert made.scores[tier] == pytest.approx(sum(scores) / 2, abs=1e-6)
    assert (made.policy_version, made.world_version, made.tokens) == ("2", WORLD_VERSION, 7)


def test_every_file_has_its_hash_and_holds_its_record(records, tmp_path):
    made = write(chosen(records, "oracle"), tmp_path / "new", "oracle", "2")
    by_episode = {(record.tier, record.seed): record for record in records}
    for episode in made.episodes:
        content = (tmp_path / "new" / episode.file).read_bytes()
        assert sha256(content).hexdigest() == episode.sha256
        (record,) = read_episodes(content.decode().splitlines())
        assert record == by_episode[episode.tier, episode.seed]
    files = {path.name for path in (tmp_path / "new").iterdir()}
    assert files == {SUBMISSION, "records"}
