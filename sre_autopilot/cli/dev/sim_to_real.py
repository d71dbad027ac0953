"""`sre-autopilot dev sim-to-real`: how far the simulator is from recorded real episodes."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.errors import BadInput, bad_input, on_interrupt
from sre_autopilot.cli.options import listed
from sre_autopilot.cli.output import messages_console
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.evaluation.sim_to_real.run import REAL_BACKENDS, compare_all, write


def command(
    *,
    backends: Annotated[
        str, typer.Option(help="Comma-separated real backends (else all those recorded).")
    ] = "",
    data: Annotated[Path, typer.Option(help="Folder of recordings.")] = Path("docs/calibration"),
    results: Annotated[Path, typer.Option(help="Folder of graded runs.")] = Path("docs/results"),
    out: Annotated[Path, typer.Option(help="Report to write.")] = Path("docs/sim-to-real.md"),
    pictures: Annotated[Path, typer.Option(help="Folder to draw into.")] = Path("docs/pictures"),
) -> None:
    """Compare the simulator with each real backend, on all episodes recorded there.

    Example:
      sre-autopilot dev sim-to-real --backends process --out runs/sim-to-real.md
    """
    recorded = [name for name in REAL_BACKENDS if (data / f"{name}-heldout.npz").exists()]
    names = listed(backends) if backends else recorded
    if not names:
        raise BadInput(f"--data {data}: holds no recordings BACKEND-heldout.npz")
    console = messages_console()
    with (
        bad_input(),
        on_interrupt(lambda: "interrupted; no report was written: run it again"),
        progress_bar(console) as progress,
    ):
        comparisons = [compare_all(name, data, results, progress) for name in names]
    write(comparisons, out, pictures)
    failed = sum(distance.fails for one in comparisons for distance in one.distances)
    console.print(f"{out}: {len(comparisons)} compared, {failed} cells fail", markup=False)
