"""`sre-autopilot dev score-checks`: whether the scores mean what they should."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.validation import parse_tier
from sre_autopilot.cli.errors import FAILED, on_interrupt
from sre_autopilot.cli.options import listed
from sre_autopilot.evaluation.many_seeds import VectorEvaluator
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.score_checks import checks, report, run
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.simulator.engines import ENGINES
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier


def command(
    *,
    policies: Annotated[str, typer.Option(help="comma-separated, or module:Class")] = ",".join(
        POLICY_NAMES
    ),
    tiers: Annotated[str, typer.Option(help="comma-separated")] = ",".join(Tier),
    seeds: Annotated[int, typer.Option(min=2, help="seeds a tier")] = 1000,
    first_seed: Annotated[int, typer.Option(min=0, help="the first seed")] = SEED_SPLITS[
        "train"
    ].start,
    simulator_of: Annotated[
        str, typer.Option(help="the real backend that the simulator is fitted to")
    ] = ProcessBackend.name,
    engine: Annotated[
        str | None, typer.Option(help=f"{' or '.join(ENGINES)}; else the fastest installed")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="report to write, Markdown")] = None,
) -> None:
    """Plays every policy on every tier and seed in the simulator, and checks the scores.

    Exit status 1 where a check fails.

    Example: sre-autopilot dev score-checks --policies oracle,runbook --seeds 100
    """
    names = [name for name in listed(policies) if load_policy(name)]
    on = [parse_tier(tier) for tier in listed(tiers)]
    played = range(first_seed, first_seed + seeds)
    console = Console(stderr=True)
    evaluator = VectorEvaluator(played, engine, simulator_of)
    with on_interrupt(lambda: "interrupted; nothing was kept: run it again with fewer --seeds"):
        with progress_bar(console) as progress:
            scores = run.play_all(names, on, evaluator, progress)
        with console.status("intervals"):
            by_subject = dict(checks.estimates(scores))
    Console().print(
        report.score_table(by_subject), report.check_table(by_subject), report.summary(by_subject)
    )
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(report.document(by_subject, played, simulator_of), encoding="ascii")
    if checks.any_fails(by_subject):
        raise typer.Exit(FAILED)
