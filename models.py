"""The wire contract, under the name that OpenEnv expects. The code is in sre_autopilot.models."""

from sre_autopilot.models import (
    RewardBreakdown,
    ServiceMetrics,
    SREAction,
    SREObservation,
    SREState,
    TraceEdge,
)

__all__ = [
    "RewardBreakdown",
    "SREAction",
    "SREObservation",
    "SREState",
    "ServiceMetrics",
    "TraceEdge",
]
