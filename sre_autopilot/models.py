"""The wire contract: what an agent sends and what it gets. Knows names, no behaviour."""

from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from sre_autopilot.errors import InvalidAction, InvalidValue, UnknownField, UnknownName
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, MAX_STEPS, ActionName

E = TypeVar("E", bound=StrEnum)


def parse_name(kind: type[E], field: str, value: object) -> E:
    """The member of `kind` that is called `value`. Raises UnknownName."""
    try:
        return kind(cast("str", value))
    except ValueError:
        raise UnknownName(field, value, kind) from None


def as_pydantic(error: UnknownName | InvalidAction | InvalidValue) -> PydanticCustomError:
    """The same error for a validator to raise: pydantic keeps text, field and valid values."""
    valid = getattr(error, "valid", None)
    context = {
        "detail": str(error),
        "field": error.field.encode(errors="backslashreplace").decode(),
        "valid": None if valid is None else list(valid),
    }
    return PydanticCustomError("own_error", "{detail}", context)


# The only validator of actions, whichever way they come. What the constructor or `model_validate`
# refuse is a pydantic.ValidationError with our own text in it; `parse` raises our own errors.
# (A comment: the docstring is what agents read in the schema.)
class SREAction(BaseModel):
    """One action on one service; `wait` needs no service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: ActionName
    service_id: Service | None = None

    @classmethod
    def parse(cls, action: object) -> Self:
        """An action from a mapping of its fields, or one that is an action already.

        Raises UnknownName, InvalidAction, InvalidValue.
        """
        return action if isinstance(action, cls) else cls(**_checked_fields(action))

    @model_validator(mode="wrap")
    @classmethod
    def _check(cls, fields: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        # Pydantic's own validation is ten times as fast as ours, which is needed for its words.
        with suppress(ValidationError):
            action = validate(fields)
            if action.service_id is not None or action.action is ActionName.WAIT:
                return action
        try:
            return validate(_checked_fields(fields))
        except (UnknownName, InvalidAction, InvalidValue) as error:
            raise as_pydantic(error) from error


def _checked_fields(fields: object) -> dict[str, Any]:
    """The fields of a complete action. Raises UnknownName, InvalidAction, InvalidValue."""
    if not isinstance(fields, Mapping):
        raise InvalidValue("action", fields, "an object with the fields action and service_id")
    for field in fields:
        if field not in SREAction.model_fields:
            raise UnknownField(str(field), SREAction.model_fields)
    if "action" not in fields:
        raise InvalidAction("action", "is missing", ActionName)
    action = parse_name(ActionName, "action", fields["action"])
    service = fields.get("service_id")
    if service is not None:
        service = parse_name(Service, "service_id", service)
    elif action is not ActionName.WAIT:
        raise InvalidAction("service_id", f"is missing, {action} needs one", Service)
    return {"action": action, "service_id": service}


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
    """Terms of the dense hint, computed from the noisy metrics: they reveal nothing more."""

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
