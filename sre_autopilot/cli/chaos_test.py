"""`sre-autopilot chaos-test`: kills every part at random moments, and checks what is left."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre_autopilot.cli.errors import FAILED, bad_input, fail, on_interrupt
from sre_autopilot.cli.options import JsonOption, listed
from sre_autopilot.cli.output import messages_console, print_json, results_console

if TYPE_CHECKING:
    from sre_autopilot.evaluation.chaos_test.outcomes import Outcome
    from sre_autopilot.evaluation.chaos_test.run import ChaosTest, MakeWorld

SEEDS = 2**31


class Breakable(StrEnum):
    """Backends with parts that can be killed: the simulator has none."""

    PROCESS = "process"
    DOCKER = "docker"


def command(
    *,
    backend: Annotated[
        Breakable, typer.Option(help="Processes, or containers: a stack of its own.")
    ] = Breakable.PROCESS,
    kills: Annotated[int, typer.Option(min=1, help="How many kills, each in an episode.")] = 20,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of what is killed and when (else drawn, printed).")
    ] = None,
    only: Annotated[
        str, typer.Option(help="Comma-separated: kill these kinds of parts alone.")
    ] = "",
    out: Annotated[Path, typer.Option(help="All outcomes, JSON.")] = Path("runs/chaos-test.json"),
    summary: Annotated[
        Path | None, typer.Option(help="Also the summaries alone, JSON (docs/results/...).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Kill every part, alone and together, at random moments of episodes.

    After each kill: is a process, a port, a folder or an impairment left? Does the next reset work,
    does the record grade? Ends with status 1 where one of these failed. Kills only what it has
    started itself.

    Example:
      sre-autopilot chaos-test
      sre-autopilot chaos-test --kills 300 --seed 1
    """
    from sre_autopilot.evaluation.chaos_test.run import ChaosTest, Order
    from sre_autopilot.evaluation.progress import progress_bar

    seed = secrets.randbelow(SEEDS) if seed is None else seed
    with bad_input("--out"):
        out.parent.mkdir(parents=True, exist_ok=True)
    order = Order(kills, seed, tuple(filter(None, listed(only))))
    test = ChaosTest(order, _make_world(backend))
    console = messages_console()
    bar = progress_bar(console)
    try:
        with on_interrupt(lambda: f"interrupted after {len(test.outcomes)} kills"), bar:
            task = bar.add_task(f"killing, seed {seed}", total=kills)

            def report(outcome: "Outcome") -> None:
                bar.advance(task)
                if not outcome.good:
                    bar.console.print(_failure(outcome), markup=False)

            asyncio.run(test.run(report))
    finally:  # what was learned before an interrupt is kept
        document = test.as_json(backend)
        _write(document, out)
        if summary is not None:
            _write({name: part for name, part in document.items() if name != "outcomes"}, summary)
    if as_json:
        print_json(document)
    else:
        _print_tables(test, f"{backend}, seed {seed}")
    console.print(f"all outcomes: {out}", soft_wrap=True, markup=False)
    if test.failure is not None:
        raise fail(test.failure, FAILED)
    if not test.good:
        raise typer.Exit(FAILED)


def _write(document: Mapping[str, Any], file: Path) -> None:
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")


def _print_tables(test: "ChaosTest", title: str) -> None:
    from sre_autopilot.evaluation.chaos_test.outcomes import table

    console = results_console()
    console.print(table(f"{title}: {len(test.outcomes)} kills", test.outcomes))
    if test.spoilt:
        console.print(f"{test.spoilt} episodes failed before their kill and were replaced")
    for outcome in test.disk:
        console.print(f"{outcome.scenario}: {'; '.join(outcome.problems) or 'ok'}", markup=False)


def _make_world(backend: Breakable) -> "MakeWorld":
    """Imports late: containers need a checkout of the repository."""
    if backend is Breakable.DOCKER:
        from sre_autopilot.evaluation.chaos_test.container_world import container_world

        return container_world
    from sre_autopilot.evaluation.chaos_test.process_world import process_world

    return process_world


def _failure(outcome: "Outcome") -> str:
    trial = outcome.trial
    where = f"kill {trial.number}: {trial.kind} ({', '.join(outcome.victims)}) in {trial.moment}"
    no_reset = () if outcome.reset_s is not None else ("no reset",)
    return f"{where}: {'; '.join((*outcome.residues, *outcome.problems, *no_reset))}"
