"""`sre-autopilot dev pack-recordings`: records of episodes as one small file of arrays."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.errors import bad_input
from sre_autopilot.cli.output import messages_console
from sre_autopilot.simulator.calibration.recordings import gather, one_world, write


def command(
    sources: Annotated[
        list[Path], typer.Argument(help="Folders of records, JSON lines, or earlier recordings.")
    ],
    out: Annotated[Path, typer.Option(help="Recordings to write, .npz.")],
) -> None:
    """Pack the finished episodes of SOURCES, all of one backend and world version, into OUT.

    Contended and broken ones are left out.

    Example:
      sre-autopilot dev pack-recordings runs/episodes --out runs/process-fit.npz
    """
    with bad_input():
        recordings, left_out = gather(sources)
        backend, version = one_world(recordings)
        write(out, recordings)
    size_kb = out.stat().st_size / 1000
    messages_console().print(
        f"{out}: {len(recordings)} episodes of {backend}, world {version}, {size_kb:.0f} kB; "
        f"{left_out} left out (unfinished, contended or broken)",
        markup=False,
    )
