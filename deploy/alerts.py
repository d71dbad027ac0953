"""Prometheus' alerting rules: what an operator must know, and where to look next.

Sends no message: alerts are shown on Prometheus' page and recorded as the series ALERTS.
"""

from typing import Any

from deploy import recording_rules as rules
from sre_autopilot.world import signals
from sre_autopilot.world.paging import BURNS, SLA_HELD_STEPS, Alert, Burn, Severity, out_of_sla
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, P99_LIMIT_MS
from sre_autopilot.world.stack import Part
from sre_autopilot.world.topology import ENTRY, POOL_SIZE
from sre_autopilot.world.vocabulary import ActionName

LOOK_BACK = "15s"
"""Longer than a leaking process lives: at most 5 steps from kill to kill, and one to start."""
MEMORY_BEFORE_KILL_PCT = 70
"""A process that leaks at most 28 % of its limit a step was above 72 % when it crossed it."""

START_UP_S = 30
"""Alerts about parts that do not answer wait so long after a start."""


def alert_groups() -> dict[str, Any]:
    """The alerts file."""
    alerts = [
        *map(_burn, BURNS),
        _sla_broken(),
        _out_of_memory_kill(),
        _pool_exhausted(),
        _service_down(),
        _part_down(),
    ]
    return {"groups": [{"name": "alerts", "interval": rules.INTERVAL, "rules": alerts}]}


def _alert(
    name: Alert, expr: str, severity: Severity, held: str, *, summary: str, description: str
) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        "for": held,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": description},
    }


def _burn(burn: Burn) -> dict[str, Any]:
    entry = f"{{{signals.LABEL_SERVICE}='{ENTRY}'}}"
    limit = f"{burn.rate:g} * {ERROR_RATE_LIMIT:g}"
    long = rules.seconds(burn.long_steps)
    windows = (rules.error_ratio(long), rules.error_ratio())
    return _alert(
        Alert.ERROR_BUDGET_BURN,
        " and ".join(f"{ratio}{entry} > {limit}" for ratio in windows),
        burn.severity,
        "0s",
        summary=burn.summary,
        description=(
            f"{{{{ $value | humanizePercentage }}}} of the users' calls failed in {long}. "
            f"Look for the deepest service whose {rules.SLA} is 0: callers fail because callees "
            f"do; {rules.EDGE_ERRORS} tells on which call."
        ),
    )


def _sla_broken() -> dict[str, Any]:
    return _alert(
        Alert.SLA_BROKEN,
        f"{rules.SLA} == 0",
        Severity.TICKET,
        rules.seconds(SLA_HELD_STEPS),
        summary=out_of_sla("{{ $labels.service }}"),
        description=(
            f"p99 above {P99_LIMIT_MS:g} ms or more than {ERROR_RATE_LIMIT:.0%} failed, as its "
            f"callers see it. Compare {rules.P99_MS}, {rules.error_ratio()}, {rules.CPU_PCT} and "
            f"{rules.MEMORY_PCT} of it and of what it calls; an open breaker counts as broken "
            f"({rules.fallbacks()})."
        ),
    )


def _out_of_memory_kill() -> dict[str, Any]:
    by = f"{signals.LABEL_SERVICE}, {rules.INSTANCE}"
    # A new process may have used as much CPU to start as the last one in its life, and has
    # answered less; one that got no call yet has no count that could fall.
    fell = " or ".join(
        f"resets({counter}{{job='{rules.JOB_MESH}'}}[{LOOK_BACK}]) > 0"
        for counter in (signals.CPU_SECONDS, f"{signals.SERVER_DURATION}_count")
    )
    full = f"max_over_time({rules.INSTANCE_MEMORY}[{LOOK_BACK}]) > {MEMORY_BEFORE_KILL_PCT}"
    orders = (
        f"{signals.LABEL_ACTION}=~'{ActionName.RESTART}|{ActionName.ROLLBACK}'"
        f",{signals.LABEL_ACCEPTED}='true'"
    )
    # What was ordered is no kill: an action counts when its window ends, hence 3 s of patience.
    ordered = (
        f"unless on ({signals.LABEL_SERVICE})"
        f" increase({signals.ACTIONS_TAKEN}{{{orders}}}[{LOOK_BACK}]) > 0"
        f" unless on () increase({signals.EPISODES}[{LOOK_BACK}]) > 0"
    )
    return _alert(
        Alert.OUT_OF_MEMORY_KILL,
        f"max by ({by}) ({fell}) and on ({by}) {full} {ordered}",
        Severity.PAGE,
        "3s",
        summary="{{ $labels.instance }} ran out of memory and was killed",
        description=(
            "It started anew by no order of the orchestrator, and before that its memory was above "
            f"{MEMORY_BEFORE_KILL_PCT} % of its limit. If {rules.INSTANCE_MEMORY} climbs again it "
            "will be killed again: find out which release it runs."
        ),
    )


def _pool_exhausted() -> dict[str, Any]:
    window = "3s"
    gave_up = f"increase({signals.POOL_TIMEOUTS}[{rules.WINDOW}]) > 0"
    empty = (
        f"min_over_time({signals.POOL_CONNECTIONS}[{window}]) >= {POOL_SIZE}"
        f" and max_over_time({signals.POOL_PENDING}[{window}]) > 0"
    )
    by = f"{signals.LABEL_SERVICE}, {rules.INSTANCE}"
    return _alert(
        Alert.POOL_EXHAUSTED,
        f"max by ({by}) ({gave_up} or {empty})",
        Severity.PAGE,
        "2s",
        summary="{{ $labels.instance }} has no connection left",
        description=(
            f"Calls wait for one of {POOL_SIZE} connections, or gave up waiting. Either the "
            "database keeps them itself, or one of its callers leaves cursors open: of the callers "
            f"that one grows in {rules.MEMORY_PCT}."
        ),
    )


def _service_down() -> dict[str, Any]:
    return _alert(
        Alert.SERVICE_DOWN,
        f"{rules.REPLICAS_UP} == 0 {_started()}",
        Severity.PAGE,
        "5s",
        summary="No replica of {{ $labels.service }} answers",
        description=(
            "For longer than a restart takes no replica gave its metrics page: all are dead, or "
            "so short of CPU that even the control port stands still. See the state of its "
            "containers; the broker brings back what was killed."
        ),
    )


def _started() -> str:
    return (
        f"and on () time() - process_start_time_seconds{{job='{Part.PROMETHEUS}'}} > {START_UP_S}"
    )


def _part_down() -> dict[str, Any]:
    return _alert(
        Alert.PART_DOWN,
        f"up{{job!='{rules.JOB_MESH}'}} == 0 {_started()}",
        Severity.TICKET,
        "10s",
        summary="{{ $labels.instance }} does not answer",
        description=(
            "A part of the stack beside the replicas gives no metrics page. See its log; without "
            "the traffic, error ratios and latencies have gaps and mean nothing."
        ),
    )
