"""Grafana's files: fresh, valid by their schema, and drawing series that exist."""

import json
import re
from itertools import chain, combinations
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from deploy import recording_rules as rules
from deploy import viewers
from deploy.dashboard_pieces import COLUMNS
from deploy.dashboards import dashboards
from deploy.recording_rules import rule_groups
from sre_autopilot.world import signals
from sre_autopilot.world.stack import Network, Part, network_alias

NAMED = {"type": "string", "minLength": 1}
SOURCE = {"const": {"type": "prometheus", "uid": "prometheus"}}
WHOLE = {"type": "integer", "minimum": 0}


def objects(required: dict[str, Any]) -> dict[str, Any]:
    """Objects with exactly these fields."""
    return {
        "type": "object",
        "properties": required,
        "required": list(required),
        "additionalProperties": False,
    }


TARGET = objects(
    {
        "refId": {"type": "string", "pattern": "^[A-Z]$"},
        "datasource": SOURCE,
        "expr": NAMED,
        "legendFormat": NAMED,
        "interval": {"const": rules.INTERVAL},
        "range": {"const": True},
    }
)
PANEL = objects(
    {
        "id": WHOLE,
        "type": {"const": "timeseries"},
        "title": NAMED,
        "datasource": SOURCE,
        "gridPos": objects({"x": WHOLE, "y": WHOLE, "w": WHOLE, "h": WHOLE}),
        "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
        "options": {"type": "object"},
        "targets": {"type": "array", "items": TARGET, "minItems": 1},
    }
)
VARIABLE = objects(
    {
        "name": NAMED,
        "label": NAMED,
        "type": {"const": "query"},
        "datasource": SOURCE,
        "definition": {"type": "string", "pattern": r"^label_values\(.+, .+\)$"},
        "query": objects({"query": NAMED, "refId": NAMED}),
        "refresh": {"enum": [1, 2]},
        "sort": {"enum": [0, 1]},
    }
)
ANNOTATION = objects(
    {
        "name": NAMED,
        "datasource": SOURCE,
        "enable": {"const": True},
        "expr": NAMED,
        "step": NAMED,
        "titleFormat": NAMED,
        "iconColor": NAMED,
    }
)
SCHEMA = objects(
    {
        "uid": {"type": "string", "maxLength": 40, "pattern": "^[a-z-]+$"},
        "title": NAMED,
        "tags": {"type": "array", "items": NAMED},
        "schemaVersion": WHOLE,
        "editable": {"type": "boolean"},
        "time": objects({"from": NAMED, "to": NAMED}),
        "refresh": NAMED,
        "timezone": NAMED,
        "graphTooltip": {"enum": [0, 1, 2]},
        "templating": objects({"list": {"type": "array", "items": VARIABLE}}),
        "annotations": objects({"list": {"type": "array", "items": ANNOTATION}}),
        "panels": {"type": "array", "items": PANEL, "minItems": 1},
    }
)
"""What Grafana reads of a dashboard (its model of schema version 39), as far as ours have it."""

DASHBOARDS = dashboards()
each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


@pytest.mark.parametrize("name", viewers.texts())
def test_a_file_of_grafana_is_fresh(name) -> None:
    assert (viewers.FOLDER / name).read_text() == viewers.texts()[name], "run `make generate`"


def test_the_folder_holds_no_other_file() -> None:
    files = {str(f.relative_to(viewers.FOLDER)) for f in viewers.FOLDER.rglob("*") if f.is_file()}
    assert files == viewers.texts().keys()


@each_dashboard
def test_a_dashboard_is_valid_by_its_schema(name) -> None:
    jsonschema.validate(json.loads(viewers.texts()[f"dashboards/{name}"]), SCHEMA)


def test_dashboards_and_their_panels_have_names_of_their_own() -> None:
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    for dashboard in DASHBOARDS.values():
        panels = dashboard["panels"]
        for key in ("id", "title"):
            assert len({panel[key] for panel in panels}) == len(panels)


@each_dashboard
def test_panels_lie_beside_each_other_on_the_grid(name) -> None:
    places = [panel["gridPos"] for panel in DASHBOARDS[name]["panels"]]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )


@each_dashboard
def test_every_query_asks_for_series_that_are_exported_or_recorded(name) -> None:
    exported = {
        value
        for constant, value in vars(signals).items()
        if constant.isupper() and isinstance(value, str)
    }
    recorded = {rule["record"] for group in rule_groups()["groups"] for rule in group["rules"]}
    dashboard = DASHBOARDS[name]
    targets = chain.from_iterable(panel["targets"] for panel in dashboard["panels"])
    notes, variables = dashboard["annotations"]["list"], dashboard["templating"]["list"]
    exprs = [each["expr"] for each in chain(targets, notes)]
    exprs += [variable["definition"] for variable in variables]
    for expr in exprs:
        series = re.findall(r"[a-z]\w*(?::\w+)+|sre_\w+|ALERTS", expr)
        assert series and set(series) <= exported | recorded | {"ALERTS"}, expr


@each_dashboard
def test_every_variable_of_a_query_is_one_of_the_dashboard(name) -> None:
    dashboard = DASHBOARDS[name]
    used = set(re.findall(r"\$(\w+)", json.dumps(dashboard["panels"])))
    assert used == {variable["name"] for variable in dashboard["templating"]["list"]}


def test_viewers_come_only_when_asked_and_hold_no_token_and_no_right() -> None:
    for name, service in viewers.viewers().items():
        assert service["profiles"] == [viewers.PROFILE]
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", service["image"]), "pinned by its tag"
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        assert not service["user"].startswith("0:")
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert "SRE_MESH_TOKEN" not in service["environment"], name
        assert not {Network.MESH, Network.CONTROL, Network.AGENT} & service["networks"].keys()
        assert all(volume.endswith(":ro") for volume in service.get("volumes", ()))


def test_grafana_finds_prometheus_and_jaeger_by_their_names() -> None:
    sources = yaml.safe_load(viewers.texts()[viewers.DATASOURCES])["datasources"]
    assert [source["url"] for source in sources] == [
        f"http://{network_alias(Part.PROMETHEUS, Network.OPERATOR)}:9090",
        f"http://{network_alias(viewers.JAEGER, Network.OPERATOR)}:16686",
    ]
    jaeger = viewers.viewers()[viewers.JAEGER]
    endpoint = jaeger["environment"]["COLLECTOR_OTLP_HTTP_HOST_PORT"]
    assert endpoint == "0.0.0.0:4318"
