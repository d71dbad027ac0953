"""Episodes of the simulator as they came out once, in golden/episodes.jsonl, and how to write them.

    sre-autopilot dev golden-episodes

Run it after `make calibrate`, or after a change of the world that is meant.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from orchestrator.environment import Environment
from sre_autopilot.grading import EpisodeRecord, grade
from sre_autopilot.models import SREAction
from sre_autopilot.policies.play import play
from sre_autopilot.policies.runbook import Runbook
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, Tier

GOLDEN = Path(__file__).parent / "golden" / "episodes.jsonl"
SEEDS = range(10)


@dataclass(frozen=True)
class Golden:
    """One episode. An action is its name, and the service's where it has one.

    sha256: of all observations as canonical JSON.
    """

    tier: Tier
    seed: int
    actions: tuple[str, ...]
    score: float
    sha256: str

    @classmethod
    def of(cls, record: EpisodeRecord) -> "Golden":
        taken = [step.action for step in record.steps if step.action is not None]
        observed = [step.observed for step in record.steps]
        canonical = json.dumps(observed, sort_keys=True, separators=(",", ":"))
        return cls(
            tier=Tier(record.tier),
            seed=record.seed,
            actions=tuple(" ".join(filter(None, (a.action, a.service_id))) for a in taken),
            score=grade(record).total,
            sha256=hashlib.sha256(canonical.encode()).hexdigest(),
        )


def written() -> list[Golden]:
    """As they stand in the file."""
    lines = [json.loads(line) for line in GOLDEN.read_text(encoding="ascii").splitlines()]
    return [Golden(**{**line, "actions": tuple(line["actions"])}) for line in lines]


def played() -> Iterator[Golden]:
    """The runbook's, on every default tier."""
    with Environment(SimulatorBackend) as environment:
        for tier in DEFAULT_TIERS:
            for seed in SEEDS:
                yield Golden.of(play(environment, Runbook(), tier, seed)[0])


def replayed(environment: Environment, golden: Golden) -> Golden:
    """The same actions once more."""
    environment.reset(seed=golden.seed, task_tier=golden.tier)
    for action in golden.actions:
        name, _, service = action.partition(" ")
        environment.step(SREAction.model_validate({"action": name, "service_id": service or None}))
    return Golden.of(environment.hidden_state())


def main() -> None:
    """Play all golden episodes and write golden/episodes.jsonl anew.

    Example:
      sre-autopilot dev golden-episodes && git diff --stat
    """
    lines = [json.dumps(asdict(golden)) for golden in played()]
    GOLDEN.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


if __name__ == "__main__":
    typer.run(main)
