"""Plays all policies on many seeds in the simulator, and judges the bounds of the score.

`python -m sre_autopilot.evaluation.score_checks.command --help` tells the rest.
Exit status 1 where a bound fails.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.validation import parse_tier
from sre_autopilot.errors import SREError
from sre_autopilot.evaluation.many_seeds import Seeds
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.score_checks.checks import (
    Estimates,
    Scores,
    Verdict,
    bound_rows,
    estimates,
    judged,
    report,
    score_rows,
    summary,
    tiers,
)
from sre_autopilot.evaluation.vector_play import Floats
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.simulator.engines import ENGINES
from sre_autopilot.world.vocabulary import FAULTY_TIERS, SEED_SPLITS, Tier

COLORS: Mapping[Verdict, str] = MappingProxyType(
    {Verdict.HOLDS: "green", Verdict.FAILS: "bold red", Verdict.OPEN: "yellow"}
)
console = Console(stderr=True)


def play_all(policies: Sequence[str], on: Sequence[Tier], seeds: Seeds, episodes: int) -> Scores:
    """Scores of every policy on every tier, with a bar of `episodes` a cell for who waits."""
    found: dict[tuple[str, Tier], Floats] = {}
    with progress_bar(console) as progress:
        bar = progress.add_task("", total=len(on) * len(policies) * episodes)
        for tier, policy in product(on, policies):
            progress.update(bar, description=f"{policy}, {tier}".ljust(36))
            found[policy, tier] = seeds.play(policy, tier, partial(progress.advance, bar))
    return found


def score_table(found: Estimates) -> Table:
    out = Table("policy", *tiers(found), title="mean score, 95 % interval")
    for row in score_rows(found):
        out.add_row(*row)
    return out


def bound_table(found: Estimates) -> Table:
    out = Table("bound", *(tier for tier in tiers(found) if tier in FAULTY_TIERS), title="bounds")
    for claim, *cells in bound_rows(found):
        out.add_row(claim, *map(_colored, cells))
    return out


def _colored(cell: str) -> str:
    color = next((c for verdict, c in COLORS.items() if cell.endswith(verdict)), "default")
    return f"[{color}]{cell}[/]"


def main(
    *,
    policies: Annotated[str, typer.Option(help="comma-separated, or module:Class")] = ",".join(
        POLICY_NAMES
    ),
    on: Annotated[str, typer.Option("--tiers", help="comma-separated")] = ",".join(Tier),
    seeds: Annotated[int, typer.Option(min=2, help="seeds a tier")] = 1000,
    first_seed: Annotated[int, typer.Option(min=0, help="the first seed")] = (
        SEED_SPLITS["train"].start
    ),
    simulator_of: Annotated[
        str, typer.Option(help="the real backend that the simulator is fitted to")
    ] = ProcessBackend.name,
    engine: Annotated[
        str | None, typer.Option(help=f"{' or '.join(ENGINES)}; else the fastest installed")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="report to write, Markdown")] = None,
) -> None:
    """Plays every policy on every tier and seed, prints scores and judges the bounds."""
    played = range(first_seed, first_seed + seeds)
    try:
        names = [name for name in policies.split(",") if load_policy(name)]
        chosen = [parse_tier(tier) for tier in on.split(",")]
        playground = Seeds(played, engine, simulator_of)
    except SREError as error:
        raise typer.BadParameter(str(error)) from error
    with playground:
        scores = play_all(names, chosen, playground, seeds)
    with console.status("intervals"):
        found = dict(estimates(scores))
    screen = Console()
    screen.print(score_table(found), bound_table(found), summary(found))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(report(found, played, simulator_of), encoding="ascii")
    if any(verdict is Verdict.FAILS for _bound, verdict in judged(found)):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
