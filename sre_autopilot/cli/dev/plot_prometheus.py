"""`sre-autopilot dev plot-prometheus`: a picture of the last minutes of a stack."""

from pathlib import Path
from typing import Annotated

import typer

from sre_autopilot.cli.output import messages_console
from sre_autopilot.evaluation.plots.prometheus import DPI, draw
from sre_autopilot.evaluation.prometheus_client import Prometheus, Span
from sre_autopilot.world.stack import PROMETHEUS_PORT


def command(
    url: Annotated[str, typer.Option(help="Prometheus.")] = f"http://127.0.0.1:{PROMETHEUS_PORT}",
    minutes: Annotated[float, typer.Option(min=0.1, help="How far to look back.")] = 2.0,
    out: Annotated[Path, typer.Option(help="Picture to write.")] = Path("prometheus.png"),
) -> None:
    """Draw what the Prometheus at URL recorded of the last MINUTES into OUT.

    Example:
      sre-autopilot dev plot-prometheus --minutes 2 --out prometheus.png
    """
    with Prometheus(url) as prometheus:
        # The clock of Prometheus, not of this machine: it may run elsewhere.
        (now,) = prometheus.instant("vector(time())")
        end_s = now.value[1]
        figure = draw(prometheus, Span(end_s - 60.0 * minutes, end_s))
    figure.savefig(out, dpi=DPI)
    messages_console().print(f"{out}: {minutes:g} minutes", markup=False)
