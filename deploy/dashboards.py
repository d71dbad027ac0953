"""Grafana's dashboards: an overview, one service, one episode. Asks nothing of a Prometheus.

Every panel draws what `deploy.recording_rules` records or `sre_autopilot.world.signals` names, so
that a renamed series is an error here and no empty panel there.
"""

from collections.abc import Sequence
from typing import Any

from deploy import recording_rules as rules
from deploy.dashboard_pieces import COLUMNS, Panel, Query, annotation, placed, variable
from sre_autopilot.world import signals
from sre_autopilot.world.paging import Severity
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from sre_autopilot.world.topology import ENTRY

SCHEMA_VERSION = 39
"""Of the dashboards' JSON; Grafana lifts older ones by itself."""
SERVICE, SESSION = "$service", "$session"
"""The dashboards' variables in a query."""
BY_SERVICE = f"{{{{{signals.LABEL_SERVICE}}}}}"


def dashboards() -> dict[str, dict[str, Any]]:
    """Each by the name of its file."""
    return {
        "overview.json": _dashboard("overview", "Overview", _overview()),
        "service.json": _dashboard("service", "One service", _one_service(), (_services(),)),
        "episode.json": _dashboard("episode", "One episode", _episode(), (_sessions(),)),
    }


def _calls_by_service() -> list[Panel]:
    """What an SLA is judged by."""
    return [
        Panel("p99 of calls", [Query(rules.P99_MS, BY_SERVICE)], "ms", P99_LIMIT_MS),
        Panel(
            "Share of calls that failed",
            [Query(rules.error_ratio(), BY_SERVICE)],
            "percentunit",
            ERROR_RATE_LIMIT,
        ),
    ]


def _overview() -> list[Panel]:
    of_users = f"{{{signals.LABEL_SERVICE}='{ENTRY}'}}"
    return [
        Panel("SLA met", [Query(rules.SLA, BY_SERVICE)], width=COLUMNS),
        *_calls_by_service(),
        Panel("CPU, percent of the limit", [Query(rules.CPU_PCT, BY_SERVICE)], "percent", 100.0),
        Panel(
            "Memory, percent of the limit", [Query(rules.MEMORY_PCT, BY_SERVICE)], "percent", 100.0
        ),
        Panel("Calls in 5 s", [Query(rules.calls(), BY_SERVICE)]),
        Panel("Replicas that answer", [Query(rules.REPLICAS_UP, BY_SERVICE)]),
        Panel(
            "Share of the users' calls that failed, over the windows of the burn rates",
            [
                Query(f"{rules.error_ratio(window)}{of_users}", window)
                for window in rules.LONG_WINDOWS
            ],
            "percentunit",
            ERROR_RATE_LIMIT,
            COLUMNS,
        ),
    ]


def _one_service() -> list[Panel]:
    of_service = f"{{{signals.LABEL_SERVICE}='{SERVICE}'}}"
    instance = f"{{{{{rules.INSTANCE}}}}}"
    return [
        Panel("SLA met", [Query(rules.SLA + of_service, "met")]),
        Panel(
            "p99 of calls",
            [
                Query(rules.P99_MS + of_service, "all"),
                Query(rules.ANSWERED_P99_MS + of_service, "answered"),
            ],
            "ms",
            P99_LIMIT_MS,
        ),
        Panel(
            "Calls to it in 5 s",
            [
                Query(rules.calls() + of_service, "made"),
                Query(rules.failed() + of_service, "failed"),
                Query(rules.fallbacks() + of_service, "not made: breaker open"),
            ],
        ),
        Panel(
            "Calls to it in 5 s, by caller",
            [Query(f"{rules.EDGE_CALLS}{{{rules.CALLEE}='{SERVICE}'}}", f"{{{{{rules.CALLER}}}}}")],
        ),
        Panel(
            "Errors of its callers in 5 s",
            [
                Query(
                    f"{rules.EDGE_ERRORS}{{{rules.CALLEE}='{SERVICE}'}}", f"{{{{{rules.CALLER}}}}}"
                )
            ],
        ),
        Panel("Replicas that answer", [Query(rules.REPLICAS_UP + of_service, "replicas")]),
        Panel("CPU of its replicas", [Query(rules.INSTANCE_CPU + of_service, instance)], "percent"),
        Panel(
            "Memory of its replicas",
            [Query(rules.INSTANCE_MEMORY + of_service, instance)],
            "percent",
            100.0,
        ),
    ]


def _episode() -> list[Panel]:
    of_session = f"{{{signals.LABEL_SESSION}='{SESSION}'}}"
    return [
        Panel("Step", [Query(signals.EPISODE_STEP + of_session, "step")]),
        Panel("Reward hint", [Query(signals.REWARD_HINT + of_session, "hint")]),
        Panel(
            "Cost and restarts",
            [
                Query(signals.COST_SPENT + of_session, "units spent"),
                Query(signals.RESTARTS_LEFT + of_session, "restarts left"),
            ],
        ),
        Panel("SLA truly met", [Query(signals.SLA_MET + of_session, BY_SERVICE)]),
        *_calls_by_service(),
        Panel(
            "Windows in which the machine was too busy",
            [Query(signals.WINDOW_CONTENDED + of_session, "contended")],
            width=COLUMNS,
        ),
    ]


def _services() -> dict[str, Any]:
    return variable(signals.LABEL_SERVICE, rules.SLA)


def _sessions() -> dict[str, Any]:
    return variable(signals.LABEL_SESSION, signals.EPISODE_STEP)


def _annotations() -> list[dict[str, Any]]:
    """What the agent did, when episodes began, and which alerts page."""
    accepted = f"{{{signals.LABEL_ACCEPTED}='true',{signals.LABEL_SERVICE}!=''}}"
    action = f"{{{{{signals.LABEL_ACTION}}}}} {BY_SERVICE}"
    return [
        annotation("Actions", f"increase({signals.ACTIONS_TAKEN}{accepted}[3s]) > 0", action),
        annotation("Episodes", f"increase({signals.EPISODES}[3s]) > 0", "an episode begins"),
        annotation(
            "Pages",
            f"ALERTS{{alertstate='firing',severity='{Severity.PAGE}'}}",
            f"{{{{alertname}}}} {BY_SERVICE}",
        ),
    ]


def _dashboard(
    name: str, title: str, panels: Sequence[Panel], variables: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    return {
        "uid": f"sre-{name}",
        "title": f"SRE Autopilot: {title}",
        "tags": ["sre-autopilot"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "time": {"from": "now-2m", "to": "now"},
        "refresh": "5s",
        "timezone": "browser",
        "graphTooltip": 1,
        "templating": {"list": list(variables)},
        "annotations": {"list": _annotations()},
        "panels": placed(panels),
    }
