"""A submission as it is made, and what changes it."""

import json
from hashlib import sha256

import pytest

from orchestrator.environment import Environment
from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.submission.check import checked
from sre_autopilot.evaluation.submission.document import SUBMISSION
from sre_autopilot.grading import grade, read_episodes
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


def graded(text):
    return grade(next(read_episodes(text.splitlines()))).total
