"""Draws what Prometheus saw of the last minutes: the mesh, the episode's steps, actions and alerts.

`python -m sre_autopilot.evaluation.plots.prometheus --minutes 2 --out prometheus.png`.
Reads series only.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deploy import recording_rules as rules
from sre_autopilot.evaluation.prometheus_client import Prometheus, QueryFailed, Series, Span
from sre_autopilot.world import signals
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.stack import PROMETHEUS_PORT
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

PANELS = (
    ("p99 (ms)", rules.P99_MS),
    ("errors (%)", f"100 * {rules.error_ratio()}"),
    ("CPU (% of limit)", rules.CPU_PCT),
    ("memory (% of limit)", rules.MEMORY_PCT),
)
"""One line a service in each."""
OUT_OF_SLA = f"{rules.SLA} == 0"
FIRING = "max by (alertname, service, instance, severity) (ALERTS{alertstate='firing'})"
STEP = f"max({signals.EPISODE_STEP})"
ORDERS = (
    f"{signals.ACTIONS_TAKEN}{{{signals.LABEL_ACCEPTED}='true'"
    f",{signals.LABEL_ACTION}!='{ActionName.WAIT}'}}"
)
ROWS, WIDTH_IN, HEIGHT_IN, DPI = (2, 2, 2, 2, 1.5, 2.5, 1), 10.0, 15.0, 110

Found = tuple[Series, ...]


def draw(prometheus: Prometheus, span: Span) -> Figure:
    """The panels above each other over seconds; dashed lines are actions."""
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Sequence[Axes] = figure.subplots(
        len(ROWS), sharex=True, gridspec_kw={"height_ratios": ROWS}
    )
    *lines, sla, alerts, steps = axes
    orders = list(_orders(prometheus.range(ORDERS, span)))
    for panel, (label, expr) in zip(lines, PANELS, strict=True):
        _lines(panel, prometheus.range(expr, span), span)
        panel.set_ylabel(label)
    lines[0].axhline(P99_LIMIT_MS, color="red", linewidth=0.8)
    figure.legend(*lines[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    _rows(sla, prometheus.range(OUT_OF_SLA, span), span)
    sla.set_ylabel("out of SLA")
    _rows(alerts, prometheus.range(FIRING, span), span)
    alerts.set_ylabel("alerts firing")
    _lines(steps, prometheus.range(STEP, span), span)
    steps.set_ylabel("step")
    steps.set_xlabel("s")
    steps.yaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in axes:
        panel.grid(alpha=0.3)
        for at_s, _ in orders:
            panel.axvline(at_s - span.start_s, color="black", linestyle="--", linewidth=0.8)
    for at_s, order in orders:
        _note(lines[0], at_s - span.start_s, order)
    lines[0].set_xlim(0.0, span.end_s - span.start_s)
    return figure


def _lines(panel: Axes, found: Found, span: Span) -> None:
    """A service keeps its colour, whether or not it has a line everywhere."""
    colours = {str(service): f"C{index}" for index, service in enumerate(Service)}
    for series in sorted(found, key=_name):
        seconds, values = _points(series, span)
        name = _name(series)
        panel.plot(seconds, values, label=name, color=colours.get(name, "black"))


def _rows(panel: Axes, found: Found, span: Span) -> None:
    """One row a series, drawn where it is there."""
    found = tuple(sorted(found, key=_name, reverse=True))
    for row, series in enumerate(found):
        seconds, _ = _points(series, span)
        panel.broken_barh([(at_s, span.step_s) for at_s in seconds], (row - 0.4, 0.8), color="C3")
    panel.set_yticks(range(len(found)), [_name(series) for series in found], fontsize="x-small")


def _name(series: Series) -> str:
    """Its labels' values, what tells most first."""
    labels = series.metric
    subject = labels.get(rules.INSTANCE) or labels.get(signals.LABEL_SERVICE)
    told = (labels.get("alertname"), subject, labels.get("severity"))
    return " ".join(value for value in told if value)


def _points(series: Series, span: Span) -> tuple[list[float], list[float]]:
    """Seconds from the start, and values, with NaN after a gap: a line must not bridge it."""
    seconds: list[float] = []
    values: list[float] = []
    for at_s, value in series.values:
        if seconds and at_s - span.start_s - seconds[-1] > 1.5 * span.step_s:
            seconds.append(seconds[-1])
            values.append(float("nan"))
        seconds.append(at_s - span.start_s)
        values.append(value)
    return seconds, values


def _orders(found: Found) -> Iterator[tuple[float, str]]:
    """When each count rose, and what was counted."""
    for series in found:
        labels = series.metric
        name = f"{labels[signals.LABEL_ACTION]} {labels[signals.LABEL_SERVICE]}"
        for (_, before), (at_s, after) in zip(series.values, series.values[1:], strict=False):
            if after > before:
                yield at_s, name


def _note(panel: Axes, at_s: float, text: str) -> None:
    panel.annotate(
        text,
        (at_s, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(2, -2),
        textcoords="offset points",
        fontsize="x-small",
        va="top",
    )


def main(
    url: Annotated[str, typer.Option(help="Prometheus")] = f"http://127.0.0.1:{PROMETHEUS_PORT}",
    minutes: Annotated[float, typer.Option(min=0.1, help="how far to look back")] = 2.0,
    out: Annotated[Path, typer.Option(help="picture to write")] = Path("prometheus.png"),
) -> None:
    """Draws the last MINUTES of what the Prometheus at URL saw into OUT."""
    try:
        with Prometheus(url) as prometheus:
            # Its own clock, not ours: it may run elsewhere.
            (now,) = prometheus.instant("vector(time())")
            end_s = now.value[1]
            figure = draw(prometheus, Span(end_s - 60.0 * minutes, end_s))
    except QueryFailed as error:
        raise typer.BadParameter(str(error)) from error
    figure.savefig(out, dpi=DPI)
    typer.echo(f"{out}: {minutes:g} minutes")


if __name__ == "__main__":
    typer.run(main)
