"""`sre-autopilot dev calibrate-validity`: whether the rule of validity knows a busy machine."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from sre_autopilot.cli.errors import FAILED, BadInput, bad_input, on_interrupt
from sre_autopilot.cli.options import BackendOption, read_settings
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.run import TEST_SEEDS_FROM
from sre_autopilot.evaluation.validity import play, report
from sre_autopilot.evaluation.validity.rows import read_windows
from sre_autopilot.world.vocabulary import MAX_STEPS


def command(
    *,
    hogs: Annotated[str, typer.Option(help="Busy threads, comma-separated.")] = "0,1,2,4",
    episodes: Annotated[int, typer.Option(min=1, help="Control episodes beside each.")] = 10,
    steps: Annotated[int, typer.Option(min=1, max=MAX_STEPS, help="Windows an episode.")] = 20,
    first_seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = TEST_SEEDS_FROM,
    out: Annotated[Path, typer.Option(help="Windows, JSON lines, appended.")] = Path(
        "runs/validity.jsonl"
    ),
    backend: BackendOption = None,
    only_report: Annotated[
        bool, typer.Option("--only-report", help="Play nothing: report what OUT holds.")
    ] = False,
) -> None:
    """Plays episodes beside busy threads, and reports what the rule calls contended.

    Exit status 1 where a bound is not met. Takes about 15 minutes; the machine should do nothing
    else.

    Example: sre-autopilot dev calibrate-validity --episodes 3 --hogs 0,4
    """
    if not only_report:
        todo = list(play.episodes(_counts(hogs), episodes, first_seed))
        new_environment = partial(Environment, make_backend(read_settings(backend=backend)))
        with bad_input():
            out.parent.mkdir(parents=True, exist_ok=True)
        with (
            on_interrupt(lambda: f"interrupted; the episodes that ended are in {out}"),
            progress_bar(messages_console()) as progress,
        ):
            play.play_all(todo, new_environment, out, progress, steps=steps)
    with bad_input():
        windows = read_windows(out)
    if not windows:
        raise BadInput(f"{out}: holds no window")
    results_console().print(report.group_table(windows), report.limit_table(windows))
    results_console().print(report.summary(windows), soft_wrap=True, markup=False)
    if not report.bounds_are_met(windows):
        raise typer.Exit(FAILED)


def _counts(text: str) -> list[int]:
    try:
        counts = [int(word) for word in text.split(",")]
    except ValueError:
        counts = [-1]
    if min(counts) < 0:
        raise BadInput(f"--hogs {text}: numbers from 0, separated by commas, such as 0,1,2,4")
    return counts
