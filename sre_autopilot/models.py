"""The wire contract: what an agent sends and what it gets. Knows names, no behaviour."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, MAX_STEPS, ActionName


class SREAction(BaseModel):
    """One action on one service; `wait` needs no service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: ActionName
    service_id: Service | None = None


class ServiceMetrics(BaseModel):
    """Noisy, late metrics of one service; a value that did not arrive is null."""

    latency_p99: float | None = Field(description="99th percentile of latency, ms")
    error_rate: float | None = Field(description="share of failed calls, 0..1")
    cpu_pct: float | None = Field(description="CPU, percent of its limit")
    memory_pct: float | None = Field(description="memory, percent of its limit")


class TraceEdge(BaseModel):
    """Calls between two services as seen in the spans of the window."""

    caller: Service
    callee: Service
    calls: int
    error_rate: float
    latency_p99: float = Field(description="ms")


class RewardBreakdown(BaseModel):
    """Terms of the dense hint, computed from the noisy metrics: they tell nothing more."""

    sla_compliance: float
    cost_penalty: float
    downtime_penalty: float
    resolution_bonus: float
    total: float


class SREObservation(BaseModel):
    """What an agent sees after a step. Never holds tier, fault or root."""

    metrics: dict[Service, ServiceMetrics]
    dependency_graph: dict[Service, list[Service]] = Field(
        description="caller -> callees as seen in this window's spans"
    )
    trace_edges: list[TraceEdge]
    action_history: list[SREAction] = Field(description="the last five, oldest first")
    step: int
    max_steps: int = MAX_STEPS
    remaining_restarts: int = MAX_RESTARTS
    cost_spent: int = 0
    sla_status: dict[Service, bool] = Field(description="from the noisy values")
    reward_hint: float
    reward_breakdown: RewardBreakdown
    last_action_error: str | None = None
    done: bool = False
    reward: float = 0.0
    metadata: dict[str, Any] = Field(default_factory=dict)


class SREState(BaseModel):
    """Where the session is, without the truth about the fault."""

    episode_id: str | None = None
    step_count: int = 0
    done: bool = False
    backend: str | None = None
