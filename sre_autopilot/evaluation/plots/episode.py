"""Draws a recorded episode: the truth of each service over the steps, and what was done when.

Reads the record, never the live mesh.
"""

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sre_autopilot import grading
from sre_autopilot.grading import EpisodeRecord, TrueService
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.topology import Service

Value = Callable[[TrueService], float | None]
PANELS: tuple[tuple[str, Value], ...] = (
    ("p99 (ms)", lambda truth: truth.latency_p99),
    ("errors (%)", lambda truth: None if truth.error_rate is None else 100 * truth.error_rate),
    ("CPU (% of limit)", lambda truth: truth.cpu_pct),
    ("memory (% of limit)", lambda truth: truth.memory_pct),
)
WIDTH_IN, PANEL_HEIGHT_IN, DPI = 9.0, 2.0, 110


def draw(record: EpisodeRecord) -> Figure:
    """One panel a quantity, one line a service; dashed lines are actions, a star the cure."""
    figure = Figure(figsize=(WIDTH_IN, PANEL_HEIGHT_IN * len(PANELS)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(PANELS), sharex=True)
    for panel, (label, value) in zip(panels, PANELS, strict=True):
        _lines(panel, record, value)
        _actions(panel, record, named=panel is panels[0])
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
    panels[0].axhline(P99_LIMIT_MS, color="red", linewidth=0.8)
    panels[-1].set_xlabel("step")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    broken = ", ".join(f"{fault.kind} at {fault.root}" for fault in record.breakages) or "nothing"
    score = grading.grade(record).total
    figure.suptitle(f"{record.tier}, seed {record.seed}: {broken} - score {score:.2f}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _lines(panel: Axes, record: EpisodeRecord, value: Value) -> None:
    for service in Service:
        points = [(step.step, value(step.true[service])) for step in record.steps]
        steps, values = zip(*points, strict=True)
        heights = [float("nan") if height is None else height for height in values]
        panel.plot(steps, heights, marker=".", label=service)


def _actions(panel: Axes, record: EpisodeRecord, *, named: bool) -> None:
    for step, action in record.interventions:
        panel.axvline(step, color="black", linestyle="--", linewidth=0.8)
        if named:
            panel.annotate(
                f"{action.action} {action.service_id}{' *' if action.cures else ''}",
                (step, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(2, -2),
                textcoords="offset points",
                fontsize="x-small",
                va="top",
            )
