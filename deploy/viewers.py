"""Grafana and Jaeger, for those who want to look: containers of the profile `observability`, and
the files that Grafana reads. `python -m deploy.viewers` writes the files. Starts nothing.

Both show the truth, as Prometheus does, and are for operators alone.
"""

import json
from pathlib import Path
from typing import Any

from deploy.container import Size, attached, container
from deploy.dashboard_pieces import SOURCE
from deploy.dashboards import dashboards
from deploy.yaml_text import dump
from sre_autopilot.world import stack
from sre_autopilot.world.stack import Network, Part, network_alias

FOLDER = Path(__file__).parents[1] / "observability" / "grafana"
HEADER = "# Written by `make generate` from deploy/viewers.py: change that.\n"
DATASOURCES, PROVIDERS = "datasources/prometheus.yml", "dashboards/files.yml"
PROVISIONING = "/etc/grafana/provisioning"
"""Where Grafana's image looks for its data sources and dashboards."""

PROFILE = "observability"
GRAFANA, JAEGER = "grafana", "jaeger"
GRAFANA_IMAGE = "grafana/grafana:12.0.2"
JAEGER_IMAGE = "jaegertracing/all-in-one:1.71.0"
GRAFANA_PORT, JAEGER_PORT, OTLP_PORT = 3000, 16686, 4318
GRAFANA_USER, JAEGER_USER = "472:0", "10001:10001"
"""Those of their images, which read their own files."""
SIZES = {GRAFANA: Size(512, 0.5, tmp_mb=128), JAEGER: Size(512, 0.5)}
MOST_TRACES = 20_000
"""Some minutes of a stack's; a trace takes about 10 KB of its memory."""
VIEWER_CPU_SHARES = 256


def viewers() -> dict[str, dict[str, Any]]:
    """The containers, with the keys of Compose's specification."""
    return {GRAFANA: _grafana(), JAEGER: _jaeger()}


def texts() -> dict[str, str]:
    """Name of each file in FOLDER, and its text."""
    url = f"http://{network_alias(Part.PROMETHEUS, Network.OPERATOR)}:{stack.PROMETHEUS_PORT}"
    traces = f"http://{network_alias(JAEGER, Network.OPERATOR)}:{JAEGER_PORT}"
    sources = {
        "apiVersion": 1,
        "datasources": [
            _source("Prometheus", SOURCE, url, {"timeInterval": "1s"}) | {"isDefault": True},
            _source("Jaeger", {"type": "jaeger", "uid": "jaeger"}, traces, {}),
        ],
    }
    provider = {
        "name": "sre-autopilot",
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": f"{PROVISIONING}/dashboards"},
    }
    return {
        DATASOURCES: HEADER + dump(sources),
        PROVIDERS: HEADER + dump({"apiVersion": 1, "providers": [provider]}),
        **{
            f"dashboards/{name}": json.dumps(dashboard, indent=1) + "\n"
            for name, dashboard in dashboards().items()
        },
    }


def _source(name: str, kind: dict[str, str], url: str, options: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, **kind, "access": "proxy", "url": url, "jsonData": options}


def _viewer(name: str, image: str, user: str) -> dict[str, Any]:
    """As every container of ours, but that its image comes from its makers, and that it gives way
    to the measured world.
    """
    return container(image, SIZES[name], user) | {
        "pull_policy": "missing",
        "profiles": [PROFILE],
        "cpu_shares": VIEWER_CPU_SHARES,
    }


def _grafana() -> dict[str, Any]:
    return _viewer(GRAFANA, GRAFANA_IMAGE, GRAFANA_USER) | {
        "environment": {
            # Whoever reaches the port, on this machine alone, may look, and nobody may change.
            "GF_AUTH_ANONYMOUS_ENABLED": "true",
            "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
            "GF_AUTH_DISABLE_LOGIN_FORM": "true",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_DASHBOARDS_MIN_REFRESH_INTERVAL": "1s",
            "GF_PATHS_DATA": "/tmp/grafana",
            "GF_PATHS_LOGS": "/tmp/grafana/log",
            "GF_PATHS_PLUGINS": "/tmp/grafana/plugins",
        },
        "volumes": [f"./observability/grafana:{PROVISIONING}:ro"],
        "networks": attached(Network.OPERATOR, [GRAFANA]),
        "ports": ["127.0.0.1:${SRE_GRAFANA_PORT:-3000}:" + str(GRAFANA_PORT)],
        "depends_on": [Part.PROMETHEUS],
    }


def _jaeger() -> dict[str, Any]:
    return _viewer(JAEGER, JAEGER_IMAGE, JAEGER_USER) | {
        "command": [f"--memory.max-traces={MOST_TRACES}"],
        "environment": {
            "COLLECTOR_OTLP_ENABLED": "true",
            "COLLECTOR_OTLP_HTTP_HOST_PORT": f"0.0.0.0:{OTLP_PORT}",
        },
        "networks": attached(Network.TELEMETRY, [JAEGER]) | attached(Network.OPERATOR, [JAEGER]),
        "ports": ["127.0.0.1:${SRE_JAEGER_PORT:-16686}:" + str(JAEGER_PORT)],
    }


def main() -> None:
    """Writes the files of `texts`."""
    for name, text in texts().items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
