"""`sre-autopilot dev check-ledgers`: scores as values, regrets and luck, on many records."""

from typing import Annotated

import typer

from sre_autopilot.cli.dev.ladder import text_table
from sre_autopilot.cli.errors import FAILED, bad_input, on_interrupt
from sre_autopilot.cli.options import listed
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier


def command(
    *,
    policies: Annotated[
        str, typer.Option(help="Comma-separated: names or module:Class.")
    ] = "oracle,belief,runbook,random",
    records: Annotated[int, typer.Option(min=1, help="About how many, of all tiers alike.")] = 200,
) -> None:
    """Play policies on all tiers in the simulator, and check that debriefs of them add up.

    About a second of CPU a record. Ends with status 1 where a score is not the sum of what it is
    split into, where the oracle regrets something, or where random does not regret the most.

    Example:
      sre-autopilot dev check-ledgers --records 40
    """
    from orchestrator.environment import Environment
    from sre_autopilot.evaluation.ledger_check import COLUMNS, check, failures, rows
    from sre_autopilot.evaluation.progress import progress_bar
    from sre_autopilot.policies import load_policy
    from sre_autopilot.policies.oracle import Oracle
    from sre_autopilot.policies.random import Random
    from sre_autopilot.simulator.backend import SimulatorBackend

    with bad_input():
        names = [name for name in listed(policies) if load_policy(name)]
    per_seed = len(Tier) * len(names)
    seeds = SEED_SPLITS["test"][: max(1, records // per_seed)]
    with (
        on_interrupt(lambda: "interrupted; nothing is said: run it again with fewer --records"),
        Environment(SimulatorBackend) as environment,
        progress_bar(messages_console()) as progress,
    ):
        checks = check(environment, names, seeds)
        total = per_seed * len(seeds)
        ledgers = list(progress.track(checks, total=total, description="debriefing"))
    results_console().print(text_table(COLUMNS, rows(ledgers)))
    problems = list(failures(ledgers, Oracle.name, Random.name))
    for problem in problems:
        messages_console().print(problem, markup=False)
    if problems:
        raise typer.Exit(FAILED)
