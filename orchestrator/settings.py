"""Settings of the orchestrator, read once at a process's entry point; variables start with SRE_."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self, get_args

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from sre_autopilot.errors import InvalidSettings, UnknownName
from sre_autopilot.world.stack import (
    BROKER_PORT,
    CHAOS_PORT,
    SPANS_PORT,
    Network,
    Part,
    network_alias,
)
from sre_autopilot.world.vocabulary import SESSION_LEASE_S

PREFIX = "SRE_"


class Settings(BaseModel):
    """What a user may set; see the README's table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = Field(
        "process",
        description="where episodes are played: process, docker, simulator, or `module:Class`",
    )
    simulator_of: str = Field(
        "process", description="simulator: the real backend whose fitted parameters it takes"
    )
    fault: str | None = Field(
        None, description="a fault in place of the tiers' own: a name, or `module:Class`"
    )
    step_seconds: float | None = Field(
        None, gt=0.1, le=60.0, description="length of a window, s (default: the backend's own)"
    )
    record_dir: Path | None = Field(
        None, description="folder for the records of episodes, one JSON-lines file each"
    )
    max_sessions: int = Field(
        2, ge=1, le=1024, description="server: sessions at once, of all kinds together"
    )
    session_lease_s: float = Field(
        SESSION_LEASE_S, ge=1, description="server: a session without a call for so long ends, s"
    )
    state_token: SecretStr | None = Field(
        None, description="server: bearer token without which `/state` hides the truth"
    )
    broker_urls: str = Field(
        ",".join(
            f"http://{network_alias(broker, Network.CONTROL)}:{BROKER_PORT}"
            for broker in (Part.BROKER, Part.BROKER_STANDBY)
        ),
        description="docker: the brokers of the containers, the first that answers is taken",
    )
    chaos_url: str = Field(
        f"http://{network_alias(Part.CHAOS, Network.CONTROL)}:{CHAOS_PORT}",
        description="docker: the chaos app",
    )
    spans_address: str = Field(
        f"0.0.0.0:{SPANS_PORT}",
        pattern=r"^[^:]+:\d+$",
        description="docker: where the orchestrator listens for the services' spans",
    )
    metrics_host: str = Field("127.0.0.1", description="server: address of `/metrics`")
    metrics_port: int = Field(
        9464,
        ge=0,
        le=65535,
        description="server: its port, no agent's; 0 takes a free one",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Reads the variables named SRE_<FIELD>; an empty one counts as not set.

        Raises InvalidSettings.
        """
        values = {name: environ.get(variable(name)) for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in values.items() if value})
        except ValidationError as error:
            raise InvalidSettings(map(_problem, error.errors())) from error


def variable(field: str) -> str:
    """The environment variable of a field of Settings."""
    return PREFIX + field.upper()


@contextmanager
def naming_variables(*fields: str) -> Iterator[None]:
    """Turns an UnknownName of one of these fields, raised in the context, into InvalidSettings.

    For users of settings that were read from the environment.
    """
    try:
        yield
    except UnknownName as error:
        if error.field not in fields:
            raise
        raise InvalidSettings([f"{variable(error.field)}: {error}"]) from error


def _problem(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    return f"{variable(name)}: {error['input']!r} is not valid; valid: {_valid(name)}"


def _valid(name: str) -> str:
    """The values that a field takes, from its type and its bounds."""
    field = Settings.model_fields[name]
    kind = field.annotation
    text = (
        "a whole number" if kind is int else "a number" if float in (kind, *get_args(kind)) else ""
    )
    limits = {type(limit): limit for limit in field.metadata}
    for limit_class, word in ((Gt, "above"), (Ge, "from"), (Le, "up to")):
        if limit_class in limits:
            limit = limits[limit_class]
            text += f" {word} {getattr(limit, limit_class.__name__.lower()):g}"
    return text or f"such as {field.default} ({field.description})"
