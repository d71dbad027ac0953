"""Draws a comparison of the simulator with a real world: distributions, responses, policies.

Computes nothing that the report does not have.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sre_autopilot.evaluation.sim_to_real.policies import PolicyGap
from sre_autopilot.evaluation.sim_to_real.report import POLICIES, RESPONSES, WINDOWS, Comparison
from sre_autopilot.evaluation.sim_to_real.responses import OFFSETS, RESPONDING
from sre_autopilot.evaluation.sim_to_real.windows import CAUSES, Metric, by_cause, pooled, present
from sre_autopilot.world.vocabulary import ActionName

LABELS: Mapping[Metric, str] = {
    Metric.LATENCY_P99: "p99 (ms)",
    Metric.ERROR_RATE: "error rate",
    Metric.CPU_PCT: "CPU (% of limit)",
    Metric.MEMORY_PCT: "memory (% of limit)",
}
PANEL_IN, DPI = 2.4, 100
NEAR = 0.85
"""Names of scores beyond it stand on the left, where there is room."""
FAILED_COLOUR = "mistyrose"
REAL: Mapping[str, Any] = {"color": "black", "label": "real"}
SIM: Mapping[str, Any] = {"color": "tab:orange", "label": "sim"}

Panels = np.ndarray[Any, np.dtype[Any]]
"""Axes, (rows, columns)."""


def draw_windows(comparison: Comparison) -> Figure:
    """Empirical distribution functions, a row a metric, a column a cause; failing cells tinted."""
    figure, panels = _grid(len(Metric), len(CAUSES))
    failed = {
        (distance.metric, distance.cause) for distance in comparison.distances if distance.fails
    }
    for style, recordings in ((REAL, comparison.real), (SIM, comparison.sim)):
        grouped = by_cause(recordings)
        for row, metric in zip(panels, Metric, strict=True):
            for panel, cause in zip(row, CAUSES, strict=True):
                values = present(pooled(grouped[cause], metric))
                if values.size:
                    panel.ecdf(values, linewidth=1.0, **style)
                if (metric, cause) in failed:
                    panel.set_facecolor(FAILED_COLOUR)
                panel.set_xlabel(LABELS[metric])
    for panel, cause in zip(panels[0], CAUSES, strict=True):
        panel.set_title(cause)
    _legend(figure, panels)
    figure.suptitle(f"{comparison.backend} and its simulator: windows of held-out seeds")
    return figure


def draw_responses(comparison: Comparison) -> Figure:
    """Means around each action, a row a metric, a column an action; 0 is the action's window."""
    actions = [
        a for a in ActionName if a in comparison.responses_real or a in comparison.responses_sim
    ]
    figure, panels = _grid(len(RESPONDING), max(1, len(actions)))
    for style, responses in ((REAL, comparison.responses_real), (SIM, comparison.responses_sim)):
        for row, metric in zip(panels, RESPONDING, strict=True):
            for panel, action in zip(row, actions, strict=False):
                if action in responses:
                    panel.plot(OFFSETS, responses[action].means[metric], marker=".", **style)
                panel.axvline(0, color="grey", linestyle="--", linewidth=0.8)
                panel.set_ylabel(LABELS[metric])
    for panel, action in zip(panels[0], actions, strict=False):
        panel.set_title(action)
    for panel in panels[-1]:
        panel.set_xlabel("steps from the action")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, panels)
    figure.suptitle(f"{comparison.backend} and its simulator: the service acted on")
    return figure


def draw_policies(comparison: Comparison) -> Figure:
    """Mean scores with intervals, of all tiers and of each; on the line both worlds agree."""
    figure, panels = _grid(1, 2, panel_in=2 * PANEL_IN)
    pooled, by_tier = panels[0]
    _scatter(pooled, comparison.policies)
    pooled.set_title("all tiers")
    _scatter(by_tier, comparison.policies_by_tier, named=False)
    by_tier.set_title("tier by tier")
    for panel in panels[0]:
        panel.set_xlabel("mean score, real")
        panel.set_ylabel("mean score, sim")
    figure.suptitle(f"{comparison.backend} and its simulator: policies")
    return figure


DRAWINGS: Mapping[str, Callable[[Comparison], Figure]] = {
    WINDOWS: draw_windows,
    RESPONSES: draw_responses,
    POLICIES: draw_policies,
}
"""By the names of the pictures in the report."""


def _scatter(panel: Axes, gaps: Sequence[PolicyGap], *, named: bool = True) -> None:
    panel.axline((0.0, 0.0), slope=1.0, color="grey", linestyle="--", linewidth=0.8)
    panel.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), aspect="equal")
    for gap in gaps:
        real, sim = (
            np.maximum(0.0, [[e.mean - e.low], [e.high - e.mean]]) for e in (gap.real, gap.sim)
        )
        panel.errorbar(gap.real.mean, gap.sim.mean, xerr=real, yerr=sim, fmt=".", color="tab:blue")
        if named:
            at = gap.real.mean, gap.sim.mean
            away, side = ((3, 3), "left") if gap.real.mean < NEAR else ((-3, 3), "right")
            panel.annotate(
                gap.policy, at, away, textcoords="offset points", fontsize="x-small", ha=side
            )


def _grid(rows: int, columns: int, panel_in: float = PANEL_IN) -> tuple[Figure, Panels]:
    size = (panel_in * columns + 1.0, panel_in * rows + 1.0)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False)
    for panel in panels.flat:
        panel.grid(alpha=0.3)
    return figure, panels


def _legend(figure: Figure, panels: Panels) -> None:
    """One entry a world, whichever panel has it."""
    legends = [panel.get_legend_handles_labels() for panel in panels.flat]
    handles = {
        label: line for lines, labels in legends for line, label in zip(lines, labels, strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2)
