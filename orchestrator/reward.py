"""The dense hint, from what the agent itself sees. Never reads the truth: that is the grader's."""

from collections.abc import Mapping, Sequence

from sre_autopilot.models import RewardBreakdown
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import RECOVERY_WINDOWS

COST_SCALE = 10.0
DOWN_ERROR_RATE = 0.5
RESOLUTION_BONUS = 1.0
ENTRY_WEIGHT = 2


def sla_compliance(status: Mapping[Service, bool]) -> float:
    """Share of services in SLA, 0..1, the gateway counted twice."""
    weights = {service: ENTRY_WEIGHT if service is ENTRY else 1 for service in status}
    return sum(weights[s] for s, met in status.items() if met) / sum(weights.values())


def hint(
    statuses: Sequence[Mapping[Service, bool]],
    error_rates: Mapping[Service, float | None],
    cost: int,
) -> RewardBreakdown:
    """Terms of the hint after a step.

    statuses: noisy SLA verdicts of every observation so far, the newest last.
    error_rates: noisy error rates of the newest one.
    cost: cost units of the step's action.
    """
    recent, before = statuses[-RECOVERY_WINDOWS:], statuses[:-RECOVERY_WINDOWS]
    resolved = all(all(s.values()) for s in recent) and any(not all(s.values()) for s in before)
    return breakdown(statuses[-1], error_rates, cost, resolved=resolved)


def breakdown(
    status: Mapping[Service, bool],
    error_rates: Mapping[Service, float | None],
    cost: int,
    *,
    resolved: bool,
) -> RewardBreakdown:
    """The terms after a step; `resolved`: whether a mesh that was observed to be bad is well."""
    down = sum(rate is not None and rate >= DOWN_ERROR_RATE for rate in error_rates.values())
    terms = {
        "sla_compliance": round(sla_compliance(status), 4),
        "cost_penalty": round(-cost / COST_SCALE, 4),
        "downtime_penalty": round(-down / len(error_rates), 4),
        "resolution_bonus": RESOLUTION_BONUS if resolved else 0.0,
    }
    return RewardBreakdown(**terms, total=round(sum(terms.values()), 4))
