"""Writes Prometheus' configuration, rules and alerts: `python -m deploy.prometheus_config`.

Starts no Prometheus; names and ports of its targets come from `sre_autopilot.world.stack`.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deploy.alerts import alert_groups
from deploy.recording_rules import INSTANCE, INTERVAL, JOB_MESH, rule_groups
from deploy.yaml_text import dump
from sre_autopilot.world import signals, stack
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.stack import Network, Part, network_alias
from sre_autopilot.world.topology import USERS, Service

FOLDER = Path(__file__).parents[1] / "observability"
HEADER = "# Written by `make generate` from sre_autopilot/world/{source}.py: change that.\n"
CONFIG, RULES, ALERTS = "prometheus.yml", "rules.yml", "alerts.yml"

PORTS: Mapping[Part, int] = MappingProxyType(
    {
        Part.BROKER: stack.BROKER_PORT,
        Part.BROKER_STANDBY: stack.BROKER_PORT,
        Part.CHAOS: stack.CHAOS_PORT,
    }
)
"""Parts that are reached over the control network only."""

SELF_INTERVAL = "15s"
TOKEN_FILE = "/tmp/mesh-token"
"""Where the container's first command puts the token of the stack; empty where there is none."""


def config() -> dict[str, Any]:
    """The configuration.

    Replicas are listed one by one: DNS discovery would notice a change only after 5 s, a ninth of
    an episode, and would name a replica by its address, which a restart changes.
    """
    replicas = [
        _targets(
            *(
                (str(replica), stack.CONTROL_PORT)
                for replica in stack.REPLICAS
                if replica.service is service
            ),
            service=service,
        )
        for service in Service
    ]
    return {
        "global": {
            "scrape_interval": INTERVAL,
            "scrape_timeout": INTERVAL,
            "evaluation_interval": INTERVAL,
        },
        "rule_files": [RULES, ALERTS],
        "scrape_configs": [
            _job(JOB_MESH, *replicas),
            _job(Part.TRAFFIC, _targets((Part.TRAFFIC, stack.CONTROL_PORT), service=USERS)),
            _job(Part.ORCHESTRATOR, _targets((Part.ORCHESTRATOR, stack.METRICS_PORT))),
            _job(Network.CONTROL, _targets(*PORTS.items(), network=Network.CONTROL)),
            _job(Part.PROMETHEUS, _targets((Part.PROMETHEUS, stack.PROMETHEUS_PORT)))
            | {"scrape_interval": SELF_INTERVAL},
        ],
    }


def _targets(
    *where: tuple[str, int], service: str | None = None, network: Network = Network.TELEMETRY
) -> dict[str, Any]:
    addresses = [f"{network_alias(name, network)}:{port}" for name, port in where]
    labels = {} if service is None else {"labels": {signals.LABEL_SERVICE: service}}
    return {"targets": addresses} | labels


def _job(name: str, *groups: dict[str, Any]) -> dict[str, Any]:
    return {
        "job_name": name,
        "metrics_path": ControlRoute.METRICS,
        "authorization": {"credentials_file": TOKEN_FILE},
        "static_configs": list(groups),
        "relabel_configs": [
            {
                "source_labels": ["__address__"],
                "regex": "([^.]+)[.].+",
                "target_label": INSTANCE,
            }
        ],
        "metric_relabel_configs": [
            # Creation times of series: they double the number of series, and nothing reads them.
            {"source_labels": ["__name__"], "regex": ".+_created", "action": "drop"}
        ],
    }


def texts() -> dict[str, str]:
    """Name of each file, and its text."""
    return {
        CONFIG: HEADER.format(source="prometheus") + dump(config()),
        RULES: HEADER.format(source="rules") + dump(rule_groups()),
        ALERTS: HEADER.format(source="alerts") + dump(alert_groups()),
    }


def main() -> None:
    """Writes the files of `texts` into the folder of Prometheus' configuration."""
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
