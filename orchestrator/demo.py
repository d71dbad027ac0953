"""The main job, for people to watch: an on-call engineer plays one episode of each default tier."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

import grader
from models import SREAction, SREObservation
from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from orchestrator.play import Watch, play
from orchestrator.policies import load_policy
from orchestrator.settings import Settings
from services.mesh.topology import Service
from services.mesh.vocabulary import DEFAULT_TIERS, Tier

console = Console(stderr=True)
TERMS = ("sla", "speed", "budget", "root_cause")
MET, BROKEN = "[green]met[/green]", "[bold red]broken[/bold red]"


def screen(tier: Tier, action: SREAction | None, observation: SREObservation) -> Table:
    """What the engineer sees after a step."""
    doing = "the episode begins" if action is None else spell(action)
    table = Table(title=f"{tier}  step {observation.step}/{observation.max_steps}  {doing}")
    for column in ("service", "SLA", "p99 ms", "errors", "cpu %", "memory %"):
        table.add_column(column, justify="left" if column == "service" else "right", min_width=8)
    for service, metrics in observation.metrics.items():
        met = observation.sla_status[service]
        values = (metrics.latency_p99, metrics.error_rate, metrics.cpu_pct, metrics.memory_pct)
        cells = ("-" if value is None else f"{value:g}" for value in values)
        table.add_row(service, MET if met else BROKEN, *cells)
    return table


def spell(action: SREAction) -> str:
    """An action in words."""
    return f"{action.action} {action.service_id or ''}".strip()


def story(record: grader.EpisodeRecord, score: grader.Score) -> str:
    """What was broken, what was done, when it recovered, and the score."""
    broken = [
        f"{fault.kind} at {fault.root} (" + ", ".join(map(_pair, fault.parameters.items())) + ")"
        for fault in record.faults
    ]
    done = [
        f"step {step.step}: {taken.action} {taken.service_id}"
        + ("" if taken.accepted else " (refused)")
        + (" - the cure" if taken.cures else "")
        for step in record.steps
        if (taken := step.action) is not None and taken.service_id is not None
    ]
    when = "never" if score.recovered_at is None else f"at step {score.recovered_at}"
    terms = ", ".join(f"{term} {getattr(score, term):.2f}" for term in TERMS)
    return "\n".join(
        (
            f"[bold]{record.tier}[/bold], seed {record.seed}",
            f"  broken     {'; '.join(broken)}",
            f"  done       {'; '.join(done) or 'nothing'}",
            f"  recovered  {when}",
            f"  score      [bold]{score.total:.3f}[/bold] ({terms})",
        )
    )


def _pair(named: tuple[str, object]) -> str:
    name, value = named
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"


def watch_on(live: Live, tier: Tier) -> Watch:
    """Draws every step of an episode on `live`."""
    return lambda action, observation: live.update(screen(tier, action, observation), refresh=True)


def main(
    policy: Annotated[str, typer.Option(help="who plays: a name or module:Class")] = "runbook",
    seed: Annotated[int, typer.Option(help="seed of the episodes")] = 7,
) -> None:
    """Plays easy, medium and hard on seven real services, and tells the story of each."""
    settings = Settings.from_env(os.environ)
    engineer = load_policy(policy)
    stories = []
    record_dir = settings.record_dir or Path("runs")
    with Environment(make_backend(settings), record_dir=record_dir) as environment:
        for tier in DEFAULT_TIERS:
            with Live(console=console, auto_refresh=False) as live:
                record, score = play(environment, engineer, tier, seed, watch=watch_on(live, tier))
            stories.append(story(record, score))
            console.print(stories[-1])
    out = Console()
    out.rule(f"{len(Service)} services, {len(stories)} episodes")
    for told in stories:
        out.print(told)
    out.print(f"records: {record_dir}/*.jsonl (regrade one: python grader.py FILE --explain)")


if __name__ == "__main__":
    try:
        typer.run(main)
    except KeyboardInterrupt:
        sys.exit(130)
