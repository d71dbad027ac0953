"""Draws what Prometheus recorded: the mesh, the episode's steps, actions and alerts.

Reads series only.
"""

from collections.abc import Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deploy import recording_rules as rules
from sre_autopilot.evaluation.prometheus_client import Prometheus, Series, Span
from sre_autopilot.world import signals
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

PANELS = (
    ("p99 (ms)", rules.P99_MS),
    ("errors (%)", f"100 * {rules.error_ratio()}"),
    ("CPU (% of limit)", rules.CPU_PCT),
    ("memory (% of limit)", rules.MEMORY_PCT),
)
"""Label and PromQL; a line a service in each."""
OUT_OF_SLA = f"{rules.SLA} == 0"
FIRING = "max by (alertname, service, instance, severity) (ALERTS{alertstate='firing'})"
CURRENT_STEP = f"max({signals.EPISODE_STEP})"
ACCEPTED_ACTIONS = (
    f"{signals.ACTIONS_TAKEN}{{{signals.LABEL_ACCEPTED}='true'"
    f",{signals.LABEL_ACTION}!='{ActionName.WAIT}'}}"
)
ROWS, WIDTH_IN, HEIGHT_IN, DPI = (2, 2, 2, 2, 1.5, 2.5, 1), 10.0, 15.0, 110

SeriesSet = tuple[Series, ...]


def draw(prometheus: Prometheus, span: Span) -> Figure:
    """The panels above each other over seconds; dashed lines are actions."""
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Sequence[Axes] = figure.subplots(
        len(ROWS), sharex=True, gridspec_kw={"height_ratios": ROWS}
    )
    *lines, sla, alerts, steps = axes
    actions = list(_actions(prometheus.range(ACCEPTED_ACTIONS, span)))
    for panel, (label, expr) in zip(lines, PANELS, strict=True):
        _lines(panel, prometheus.range(expr, span), span)
        panel.set_ylabel(label)
    lines[0].axhline(P99_LIMIT_MS, color="red", linewidth=0.8)
    figure.legend(*lines[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    _rows(sla, prometheus.range(OUT_OF_SLA, span), span)
    sla.set_ylabel("out of SLA")
    _rows(alerts, prometheus.range(FIRING, span), span)
    alerts.set_ylabel("alerts firing")
    _lines(steps, prometheus.range(CURRENT_STEP, span), span)
    steps.set_ylabel("step")
    steps.set_xlabel("s")
    steps.yaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in axes:
        panel.grid(alpha=0.3)
        for at_s, _ in actions:
            panel.axvline(at_s - span.start_s, color="black", linestyle="--", linewidth=0.8)
    for at_s, action in actions:
        _note(lines[0], at_s - span.start_s, action)
    lines[0].set_xlim(0.0, span.end_s - span.start_s)
    return figure


def _lines(panel: Axes, series_set: SeriesSet, span: Span) -> None:
    """A line a series; a service has the same colour in every panel."""
    colours = {str(service): f"C{index}" for index, service in enumerate(Service)}
    for series in sorted(series_set, key=_name):
        seconds, values = _points(series, span)
        name = _name(series)
        panel.plot(seconds, values, label=name, color=colours.get(name, "black"))


def _rows(panel: Axes, series_set: SeriesSet, span: Span) -> None:
    """A row a series, a bar where it has a value."""
    rows = tuple(sorted(series_set, key=_name, reverse=True))
    for row, series in enumerate(rows):
        seconds, _ = _points(series, span)
        panel.broken_barh([(at_s, span.step_s) for at_s in seconds], (row - 0.4, 0.8), color="C3")
    panel.set_yticks(range(len(rows)), [_name(series) for series in rows], fontsize="x-small")


def _name(series: Series) -> str:
    """The values of its labels, the most specific first."""
    labels = series.metric
    subject = labels.get(rules.INSTANCE) or labels.get(signals.LABEL_SERVICE)
    parts = (labels.get("alertname"), subject, labels.get("severity"))
    return " ".join(part for part in parts if part)


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


def _actions(series_set: SeriesSet) -> Iterator[tuple[float, str]]:
    """When each counter rose, and the action and service that it counts."""
    for series in series_set:
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
