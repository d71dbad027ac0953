"""What HTTP clients send and get: the bodies of requests and answers."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orchestrator.validation import ID_PATTERN, MAX_SEED, parse_seed, parse_tier
from server.openenv_compat import serialize_observation
from sre_autopilot.errors import InvalidAction, InvalidValue, UnknownField, UnknownName
from sre_autopilot.models import SREAction, SREObservation, SREState, as_pydantic
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

DEFAULT_SESSION = "default"
NEEDS_SERVICE: list[Any] = [
    {"required": ["service_id"], "properties": {"service_id": {"type": "string"}}},
    {"properties": {"action": {"type": "object"}}},
]
"""In JSON Schema, of each action but `wait`: a service beside the action, or the nested form."""
OWN_ERRORS = (UnknownName, InvalidAction, InvalidValue)


def checked_by(parse: Callable[[Any], Any]) -> BeforeValidator:
    """`parse`, which raises errors of ours, as a validator of a pydantic field."""

    def check(value: object) -> Any:
        try:
            return parse(value)
        except OWN_ERRORS as error:
            raise as_pydantic(error) from error

    return BeforeValidator(check)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session_id: str = Field(
        DEFAULT_SESSION,
        description="whose episode; a name of your choice, but on a judged server",
        json_schema_extra={"pattern": f"^{ID_PATTERN}$"},
    )

    @model_validator(mode="before")
    @classmethod
    def _check(cls, body: Any) -> Any:
        try:
            if not isinstance(body, dict):
                raise InvalidValue("body", body, "a JSON object")
            fields = cls._flat(body)
            for name in fields:
                if name not in cls.model_fields:
                    raise UnknownField(name, cls.model_fields)
            cls._check_together(fields)
        except OWN_ERRORS as error:
            raise as_pydantic(error) from error
        return fields

    @classmethod
    def _flat(cls, body: dict[str, Any]) -> dict[str, Any]:
        """The fields of a body, in whichever of its forms it came."""
        return body

    @classmethod
    def _check_together(cls, fields: dict[str, Any]) -> None:
        """Checks what no field can check alone."""


class ResetRequest(_Request):
    """Begins an episode; all fields may be left out."""

    task_tier: Annotated[Tier, checked_by(parse_tier)] = Tier.EASY
    seed: Annotated[int | None, checked_by(parse_seed)] = Field(
        None, ge=0, le=MAX_SEED, description="decides the hidden faults (default: random)"
    )
    episode_id: str | None = Field(
        None, description="default: a new one", json_schema_extra={"pattern": f"^{ID_PATTERN}$"}
    )
    backend: str | None = Field(None, description="default: the server's own")
    policy: str | None = Field(None, max_length=128, description="who plays, for the record")


class StepRequest(_Request):
    """One action, flat or nested under `action`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"action": ActionName.RESTART, "service_id": Service.USER_DB},
                {"action": {"action": ActionName.WAIT}},
            ],
            "if": {"properties": {"action": {"const": ActionName.WAIT}}},
            "else": {"anyOf": NEEDS_SERVICE},
        }
    )

    action: ActionName
    service_id: Service | None = None
    timeout_s: float | None = Field(None, gt=0, description="not used: a step is never cut short")
    request_id: str | None = Field(None, max_length=255, description="not used")

    @classmethod
    def _flat(cls, body: dict[str, Any]) -> dict[str, Any]:
        nested = body.get("action")
        if not isinstance(nested, dict):
            return body
        return {name: value for name, value in body.items() if name != "action"} | nested

    @classmethod
    def _check_together(cls, fields: dict[str, Any]) -> None:
        SREAction.parse({name: fields[name] for name in SREAction.model_fields if name in fields})

    @property
    def parsed_action(self) -> SREAction:
        return SREAction(action=self.action, service_id=self.service_id)


class ObservationResponse(BaseModel):
    """What reset and step answer."""

    observation: dict[str, Any] = Field(description="see /schema")
    reward: float
    done: bool
    session_id: str

    @classmethod
    def of(cls, observation: SREObservation, session_id: str) -> Self:
        serialized = serialize_observation(observation)
        fields = {name: value for name, value in serialized.items() if name != "metadata"}
        return cls(session_id=session_id, **fields)


class StateResponse(SREState):
    """Where a session is, and the truth for those who may see it."""

    hidden: dict[str, Any] | None = None


class Problem(BaseModel):
    """What every error answers."""

    error: str = Field(description="its kind")
    detail: str = Field(description="what is wrong, and what to do")
    field: str | None = None
    valid_values: list[str] | None = None
