"""Observations as people look at them: a table, and a picture. Reads rows, changes nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS

ANSI, RGB_ARRAY = "ansi", "rgb_array"
CELL_PX = 16
MET_COLOR, VIOLATED_COLOR, EMPTY_COLOR = (60, 140, 80), (190, 60, 50), (235, 235, 235)


def table(row: Any) -> str:
    """One observation as text, a line a service; "?" where a value did not arrive."""
    step, restarts_left = row[layout.STEP_FEATURE], row[layout.RESTARTS_LEFT_FEATURE]
    lines = [f"step {step:.0f}  restarts left {restarts_left:.0f}"]
    metrics = row[: layout.METRIC_COUNT].reshape(-1, layout.SERVICE_COUNT).T
    verdicts = row[layout.VERDICT_FEATURES :][: layout.SERVICE_COUNT]
    for service, values, met in zip(Service, metrics, verdicts, strict=True):
        texts = ["?" if value == layout.MISSING else f"{value:.4g}" for value in values]
        cells = "  ".join(f"{text:>8}" for text in texts)
        lines.append(f"{'ok ' if met else 'SLA'} {service:<16} {cells}  p99 ms, errors, CPU, mem %")
    return "\n".join(lines)


def picture_of_rows(rows: Sequence[Any]) -> Any:
    """(services * CELL_PX, (MAX_STEPS + 1) * CELL_PX, 3), uint8: a row a service, a column a step.

    rows: observations of one episode, each in the column of its step.
    """
    cells = np.full((layout.SERVICE_COUNT, MAX_STEPS + 1, 3), EMPTY_COLOR, np.uint8)
    for row in rows:
        met = row[layout.VERDICT_FEATURES :][: layout.SERVICE_COUNT, None] > 0
        cells[:, int(row[layout.STEP_FEATURE])] = np.where(met, MET_COLOR, VIOLATED_COLOR)
    return cells.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)
