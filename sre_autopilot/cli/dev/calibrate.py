"""`sre-autopilot dev calibrate`: the simulator's parameters, fitted to recordings."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.errors import BadInput, bad_input
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.simulator.calibration.calibrate import DATA, calibrate, save, table
from sre_autopilot.simulator.calibration.recordings import read


def command(
    backend: Annotated[str, typer.Argument(help="The real backend to fit to.")],
    data: Annotated[Path, typer.Option(help="Folder of the recordings.")] = DATA,
) -> None:
    """Fit the simulator to DATA/BACKEND-fit.npz, and write its parameters.

    Example:
      sre-autopilot dev calibrate process
    """
    source = data / f"{backend}-fit.npz"
    if not source.exists():
        raise BadInput(f"{source} does not exist; docs/simulator.md says how to record episodes")
    with bad_input(), messages_console().status(f"fitting to {source}"):
        calibration = calibrate(backend, source, read(source))
        path = save(calibration)
    results_console().print(table(calibration, path.name))
