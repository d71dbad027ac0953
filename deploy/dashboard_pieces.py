"""The pieces of Grafana's dashboards as it reads them in JSON: charts on its grid, variables,
annotations. Knows none of our series.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

SOURCE = {"type": "prometheus", "uid": "prometheus"}
"""The data source of all queries, as Grafana's is provisioned."""
COLUMNS = 24
"""Grafana's grid is so wide."""
PANEL_HEIGHT = 8
INTERVAL = "1s"
"""Time between two points: Prometheus records so often."""


class Query(NamedTuple):
    """A query in PromQL, and what its series are called."""

    expr: str
    legend: str


class Panel(NamedTuple):
    """A chart: what it shows, in Grafana's unit, and from which value on it is red."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    limit: float | None = None
    width: int = COLUMNS // 2


def variable(label: str, series: str) -> dict[str, Any]:
    """A choice among the values of a label of a series."""
    query = f"label_values({series}, {label})"
    return {
        "name": label,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "values"},
        "refresh": 2,
        "sort": 1,
    }


def annotation(name: str, expr: str, title: str) -> dict[str, Any]:
    """A mark across all charts where a query has a value."""
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "expr": expr,
        "step": "1s",
        "titleFormat": title,
        "iconColor": "orange",
    }


def placed(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """The charts from left to right, a new row where one is full."""
    charts, x, y = list[dict[str, Any]](), 0, 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + PANEL_HEIGHT
        position = {"x": x, "y": y, "w": panel.width, "h": PANEL_HEIGHT}
        charts.append(_panel(panel, number, position))
        x += panel.width
    return charts


def _panel(panel: Panel, number: int, position: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": position,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {
                    "thresholdsStyle": {"mode": "off" if panel.limit is None else "line"},
                    "spanNulls": False,
                },
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "interval": INTERVAL,
                "range": True,
            }
            for index, query in enumerate(panel.queries)
        ],
    }
