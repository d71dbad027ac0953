"""Prometheus' recording rules: what an observation holds, as series. Evaluates nothing.

Names are level:metric:operations. PromQL is written with single quotes, for YAML's sake.
"""

from typing import Any

from sre_autopilot.world import signals
from sre_autopilot.world.paging import BURNS
from sre_autopilot.world.signals import Outcome
from sre_autopilot.world.sla import ERROR_RATE_LIMIT, FORGIVEN_FAILURES, P99_LIMIT_MS
from sre_autopilot.world.stack import STEP_SECONDS
from sre_autopilot.world.topology import LIMITS, Service

JOB_MESH = "mesh"
"""The job that scrapes the replicas; other jobs export CPU and memory too."""
INSTANCE = "instance"
CALLER, CALLEE = "caller", "callee"


def seconds(steps: int) -> str:
    """The length of so many steps, as Prometheus writes it."""
    return f"{steps * STEP_SECONDS:g}s"


INTERVAL = "1s"
WINDOW = "5s"
"""An observation's window is 1.5 s. With a scrape a second that holds one sample or two, and a
rate needs several, so that a step also shows in the values of the two or three after it."""
LONG_WINDOWS = tuple(seconds(burn.long_steps) for burn in BURNS)
"""Error ratios for burn-rate alerts: a third and two thirds of an episode."""

COUNTED = FORGIVEN_FAILURES + 0.5
"""`increase` extrapolates to the ends of its window: one call counts as 1.3 at most."""
BYTES_PER_MB = 1024 * 1024

CPU_LIMIT = "service:cpu_limit:cores"
MEMORY_LIMIT = "service:memory_limit:bytes"
INSTANCE_CPU = f"instance:cpu_pct:rate{WINDOW}"
INSTANCE_MEMORY = "instance:memory_pct:ratio"
CPU_PCT = f"service:cpu_pct:max_rate{WINDOW}"
MEMORY_PCT = "service:memory_pct:max"
REPLICAS_UP = "service:replicas_up:count"
P99_MS = f"service:latency_p99_ms:rate{WINDOW}"
ANSWERED_P99_MS = f"service:answered_latency_p99_ms:rate{WINDOW}"
SLA = "service:sla_met:bool"
EDGE_CALLS = f"edge:calls:increase{WINDOW}"
EDGE_ERRORS = f"edge:errors:increase{WINDOW}"

Rule = dict[str, Any]


def calls(window: str = WINDOW) -> str:
    """Calls made to a service, as a series' name."""
    return f"service:calls:increase{window}"


def fallbacks(window: str = WINDOW) -> str:
    """Calls not made because its breaker is open."""
    return f"service:fallbacks:increase{window}"


def failed(window: str = WINDOW) -> str:
    """Calls made to it that failed."""
    return f"service:failed:increase{window}"


def error_ratio(window: str = WINDOW) -> str:
    """Share of failed calls; 1 while the breaker is open."""
    return f"service:error_ratio:rate{window}"


def rule_groups() -> dict[str, Any]:
    """The rules file. A group is evaluated in order: what others build on comes first."""
    groups = {
        "limits": _limits(),
        "mesh": [
            *_resources(),
            *(rule for window in (WINDOW, *LONG_WINDOWS) for rule in _outcomes(window)),
            _recorded(P99_MS, _p99_ms(f"!='{Outcome.REFUSED}'")),
            _recorded(ANSWERED_P99_MS, _p99_ms(f"='{Outcome.OK}'")),
            _recorded(SLA, _sla()),
            *_edges(),
        ],
    }
    return {
        "groups": [
            {"name": name, "interval": INTERVAL, "rules": rules} for name, rules in groups.items()
        ]
    }


def _recorded(name: str, expr: str, **labels: str) -> Rule:
    return {"record": name, "expr": expr} | ({"labels": labels} if labels else {})


def _limits() -> list[Rule]:
    cores = {service: LIMITS[service].cpu_limit_cores for service in Service}
    sizes = {service: LIMITS[service].memory_limit_mb * BYTES_PER_MB for service in Service}
    return [
        _recorded(name, f"vector({limit})", service=service)
        for name, limits in ((CPU_LIMIT, cores), (MEMORY_LIMIT, sizes))
        for service, limit in limits.items()
    ]


def _resources() -> list[Rule]:
    mesh, by = f"{{job='{JOB_MESH}'}}", signals.LABEL_SERVICE
    cpu = f"rate({signals.CPU_SECONDS}{mesh}[{WINDOW}])"
    memory = f"{signals.MEMORY_BYTES}{mesh}"
    return [
        _recorded(INSTANCE_CPU, f"100 * {cpu} / on ({by}) group_left () {CPU_LIMIT}"),
        _recorded(INSTANCE_MEMORY, f"100 * {memory} / on ({by}) group_left () {MEMORY_LIMIT}"),
        _recorded(CPU_PCT, f"max by ({by}) ({INSTANCE_CPU})"),
        _recorded(MEMORY_PCT, f"max by ({by}) ({INSTANCE_MEMORY})"),
        # Only replicas that answer count: a standby is stopped on purpose, and does not.
        _recorded(REPLICAS_UP, f"count by ({by}) (up{mesh} == 1) or {CPU_LIMIT} * 0"),
    ]


def _by_callee(series: str, *also: str) -> str:
    """Sum over the callers of each service: the callee replaces the scraped process as label."""
    by, peer = signals.LABEL_SERVICE, signals.LABEL_PEER
    renamed = f"label_replace({series}, '{by}', '$1', '{peer}', '(.+)')"
    return f"sum by ({', '.join((by, *also))}) ({renamed})"


def _outcomes(window: str) -> list[Rule]:
    made = f"{signals.CLIENT_DURATION}_count"
    not_ok = f"{{{signals.LABEL_OUTCOME}!='{Outcome.OK}'}}"
    none = f"{calls(window)} * 0"
    lost = f"({failed(window)} + {fallbacks(window)})"
    # NaN, where there were no calls, is not >= 0: the series has a gap there.
    ratio = f"{lost} / ({calls(window)} + {fallbacks(window)}) >= 0"
    return [
        _recorded(calls(window), _by_callee(f"increase({made}[{window}])")),
        _recorded(failed(window), f"{_by_callee(f'increase({made}{not_ok}[{window}])')} or {none}"),
        _recorded(
            fallbacks(window),
            f"{_by_callee(f'increase({signals.FALLBACKS}[{window}])')} or {none}",
        ),
        _recorded(error_ratio(window), ratio),
    ]


def _p99_ms(outcome: str) -> str:
    buckets = f"{signals.CLIENT_DURATION}_bucket{{{signals.LABEL_OUTCOME}{outcome}}}"
    summed = _by_callee(f"rate({buckets}[{WINDOW}])", "le")
    return f"1000 * histogram_quantile(0.99, {summed}) >= 0"


def _sla() -> str:
    """`sla.is_met`, and not met while callers answer from a fallback."""
    lost = f"{failed()} + {fallbacks()}"
    slow, ratio = f"> {P99_LIMIT_MS:g}", f"> {ERROR_RATE_LIMIT:g}"
    broken = (
        f"({lost} > {COUNTED:g} and ({error_ratio()} {ratio} or {P99_MS} {slow}))"
        f" or ({lost} <= {COUNTED:g} and {ANSWERED_P99_MS} {slow})"
    )
    return f"({calls()} * 0 + 1 unless ({broken})) or {calls()} * 0"


def _edges() -> list[Rule]:
    made, outcome = f"{signals.CLIENT_DURATION}_count", signals.LABEL_OUTCOME
    return [
        _recorded(EDGE_CALLS, _edge(f"increase({made}[{WINDOW}])")),
        _recorded(
            EDGE_ERRORS,
            f"{_edge(f'''increase({made}{{{outcome}!='{Outcome.OK}'}}[{WINDOW}])''')}"
            f" or {EDGE_CALLS} * 0",
        ),
    ]


def _edge(series: str) -> str:
    for label, source in ((CALLER, signals.LABEL_SERVICE), (CALLEE, signals.LABEL_PEER)):
        series = f"label_replace({series}, '{label}', '$1', '{source}', '(.+)')"
    return f"sum by ({CALLER}, {CALLEE}) ({series})"
