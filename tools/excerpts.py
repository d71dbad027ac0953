"""Excerpts of recorded episodes: the example's screen, summary and score, and tables of results."""

import io
from collections import defaultdict
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console, RenderableType

from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from sre_autopilot import grading
from sre_autopilot.cli import screen as terminal
from sre_autopilot.evaluation.intervals import Estimate
from sre_autopilot.evaluation.results import (
    COLUMNS,
    PAIRED_COLUMNS,
    Cell,
    cells,
    paired,
    read_results,
)
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.scripts import SWEEPS
from sre_autopilot.world.vocabulary import FAULTY_TIERS, Tier
from tools.markdown import code, table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results" / "process.jsonl"
CONTAINER_RESULTS = ROOT / "docs" / "results" / "docker.jsonl"
EXAMPLE = ROOT / "docs" / "examples" / "episode.jsonl"
"""The record of the medium episode of `make demo`, on a machine at rest."""
EXCERPT_COLUMNS = 84


def screen() -> str:
    """What the demo shows of the example when things look worst."""
    step = min(example().steps, key=lambda step: sum(step.observed["sla_status"].values()))
    taken = step.action
    action = SREAction(action=taken.action, service_id=taken.service_id) if taken else None
    observation = SREObservation.model_validate(step.observed)
    return _printed(terminal.screen(example().tier, action, observation))


def summary() -> str:
    """What the demo says of the example when it is over."""
    record = example()
    return _printed(terminal.episode_summary(record, grading.grade(record)))


def _printed(renderable: RenderableType) -> str:
    """What a terminal of EXCERPT_COLUMNS shows."""
    page = Console(file=io.StringIO(), width=EXCERPT_COLUMNS, record=True)
    page.print(renderable)
    return code("\n".join(line.rstrip() for line in page.export_text().splitlines()))


def explained() -> str:
    """What the grader prints for the example."""
    with redirect_stdout(io.StringIO()) as printed:
        grading.main([str(EXAMPLE), "--explain"])
    asked = f"$ python grader.py {EXAMPLE.relative_to(ROOT)} --explain"
    return code(f"{asked}\n{printed.getvalue()}", "console")


def results() -> str:
    """Scores on the process backend, as they were played."""
    played = read_results(RESULTS, ProcessBackend.name)
    return table(" | ".join(COLUMNS), (cell.row() for cell in cells(played)))


def scores_by_tier() -> str:
    """Mean score and interval of each policy on each tier, as they were played on processes.

    Policies that were not played on every tier, and sweeps over all services, are left out.
    """
    played = cells(read_results(RESULTS, ProcessBackend.name))
    by_policy: dict[str, dict[Tier, Cell]] = defaultdict(dict)
    for cell in played:
        by_policy[cell.policy][cell.tier] = cell
    sweeps = {policy.name for policy in SWEEPS}
    rows = [
        (f"`{policy}`", *(_score(by_tier[tier]) for tier in FAULTY_TIERS))
        for policy, by_tier in by_policy.items()
        if by_tier.keys() >= {*FAULTY_TIERS} and policy not in sweeps
    ]
    return table(" | ".join(("policy", *FAULTY_TIERS)), rows)


def _score(cell: Cell) -> str:
    estimate = Estimate.of([result.score for result in cell.results])
    return f"{estimate.mean:.3f} ({estimate.interval})"


def on_containers() -> str:
    """Scores on the docker backend, beside those of the same seeds on processes."""
    played = read_results(CONTAINER_RESULTS, DockerBackend.name)
    rows = paired(played, read_results(RESULTS, ProcessBackend.name))
    return table(" | ".join(PAIRED_COLUMNS), rows)


def example() -> grading.EpisodeRecord:
    return next(grading.read_episodes(EXAMPLE.read_text().splitlines()))
