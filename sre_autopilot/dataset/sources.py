"""Where the episodes of a data set come from: played in the simulator, or read from records."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from orchestrator.environment import Environment
from sre_autopilot.grading import EpisodeRecord, RecordError, Score, grade, read_episodes
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import Tier

SUFFIX = ".jsonl"


class Plan(NamedTuple):
    """Episodes to be played: every policy on every tier and seed."""

    policies: Sequence[str]
    tiers: Sequence[Tier]
    seeds: range

    @property
    def episodes(self) -> int:
        return len(self.policies) * len(self.tiers) * len(self.seeds)


def played(plan: Plan) -> Iterator[tuple[EpisodeRecord, Score]]:
    """Plays in the simulator, the seeds outermost. The same plan gives the same episodes.

    Raises UnknownName for a policy that does not exist.
    """
    players = {name: load_policy(name) for name in plan.policies}
    with Environment(SimulatorBackend) as environment:
        for seed, tier, (name, policy) in product(plan.seeds, plan.tiers, players.items()):
            record, score = play(environment, policy, tier, seed)
            # Its own name is drawn anew each time.
            episode_id = f"{SimulatorBackend.name}-{name}-{tier}-{seed}".replace(":", ".")
            yield record.model_copy(update={"episode_id": episode_id}), score


def recorded(files: Iterable[Path]) -> Iterator[tuple[EpisodeRecord, Score]]:
    """Finished episodes of record files whose score can be trusted, in the files' order.

    Raises RecordError, which names the file too, OSError.
    """
    for file in files:
        try:
            records = list(read_episodes(file.read_text(encoding="ascii").splitlines()))
        except (RecordError, UnicodeDecodeError) as error:
            raise RecordError(f"{file}: {error}") from error
        for record in records:
            if record.finished and record.checked_validity.counts:
                yield record, grade(record)


def record_files(paths: Iterable[Path]) -> list[Path]:
    """The files named, and those of the folders named, without any twice."""
    found_in = (sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path] for path in paths)
    return list(dict.fromkeys(file for files in found_in for file in files))
