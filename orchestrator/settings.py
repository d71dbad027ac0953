"""Settings of the orchestrator, read once at a process's entry point; variables start with SRE_."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self, get_args

from annotated_types import Ge, Gt, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from sre_autopilot.errors import InvalidSettings, InvalidValue, UnknownName
from sre_autopilot.world.stack import (
    BROKER_PORT,
    CHAOS_PORT,
    Network,
    Part,
    network_alias,
)
from sre_autopilot.world.vocabulary import SESSION_LEASE_S

PREFIX = "SRE_"
MAX_PORT = 2**16 - 1
SECRET_LENGTH = 16
PROCESS, DOCKER = "process", "docker"
"""The backends that play on local processes, and on a stack of containers."""
URL = r"https?://[^\s,/]+(/[^\s,]*)?"


class Mode(StrEnum):
    """Whether a server helps those who develop agents, or keeps from agents what is hidden."""

    DEVELOP = "develop"
    JUDGE = "judge"


SECRETS = {
    "state_token": "printable ASCII without spaces, not empty",
    "mesh_token": "printable ASCII without spaces, not empty",
    "secret": f"at least {SECRET_LENGTH} characters of printable ASCII without spaces",
}
"""Fields whose values no error repeats, and what is valid."""
CHOSEN = frozenset({"state_token", "secret"})
"""Secrets of which an empty one is an error: whoever sets it means to have one. The Compose file
sets the third one always."""


def _check_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not (text and text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("no HTTP header can carry it")
    return token


def _check_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SECRET_LENGTH:
        raise ValueError("it could be guessed")
    return secret


Token = Annotated[SecretStr, AfterValidator(_check_token)]
Secret = Annotated[Token, AfterValidator(_check_secret)]


class Settings(BaseModel):
    """What a user may set; see the README's table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = Field(
        PROCESS,
        description="where episodes are played: process, docker, simulator, or `module:Class`",
    )
    simulator_of: str = Field(
        PROCESS, description="simulator: the real backend whose fitted parameters it takes"
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
    max_sessions: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="server: sessions at once, of all kinds together (default: what this machine "
        "carries)",
    )
    session_lease_s: float = Field(
        SESSION_LEASE_S,
        ge=1,
        allow_inf_nan=False,
        description="server: a session without a call for so long ends, s",
    )
    ping_timeout_s: float = Field(
        600.0,
        ge=1,
        allow_inf_nan=False,
        description="server: an open WebSocket whose client leaves a ping without an answer for so "
        "long is closed, s",
    )
    resets_per_minute: int = Field(
        1200,
        ge=1,
        description="server: resets and new sessions that one client address may ask for",
    )
    graded_per_minute: int = Field(
        60, ge=1, description="server: the same, episodes of `/grader?tier=` and `/baseline`"
    )
    mode: Mode = Field(
        Mode.DEVELOP,
        description="server: develop, or judge, which keeps from agents what is hidden",
    )
    state_token: Token | None = Field(
        None,
        validate_default=True,
        description="server: bearer token without which `/state` hides the truth",
    )
    secret: Secret | None = Field(
        None,
        description="server: in judge mode, turns seeds into stories (default: random)",
    )
    mesh_token: Token | None = Field(
        None,
        validate_default=True,
        description="docker: token of all traffic inside the stack (`make up` draws one)",
    )
    broker_urls: str = Field(
        ",".join(
            f"http://{network_alias(broker, Network.CONTROL)}:{BROKER_PORT}"
            for broker in (Part.BROKER, Part.BROKER_STANDBY)
        ),
        pattern=rf"^{URL}(,{URL})*$",
        description="docker: the brokers of the containers, the first that answers is taken",
    )
    chaos_url: str = Field(
        f"http://{network_alias(Part.CHAOS, Network.CONTROL)}:{CHAOS_PORT}",
        pattern=rf"^{URL}$",
        description="docker: the chaos app",
    )
    metrics_host: str = Field("127.0.0.1", description="server: address of `/metrics`")
    metrics_port: int = Field(
        9464,
        ge=0,
        le=MAX_PORT,
        description="server: its port, no agent's; 0 takes a free one",
    )

    @field_validator("state_token", "mesh_token")
    @classmethod
    def _set_where_judged(cls, token: Token | None, info: ValidationInfo) -> Token | None:
        used = info.field_name != "mesh_token" or info.data.get("backend") == DOCKER
        if token is None and used and info.data.get("mode") is Mode.JUDGE:
            raise ValueError("a judged server needs it")
        return token

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Reads the variables named SRE_<FIELD>; an empty one counts as not set, but for secrets.

        Raises InvalidSettings.
        """
        values = {name: environ.get(variable(name)) for name in cls.model_fields}
        set_ones = {n: text for n, text in values.items() if text or (n in CHOSEN and text == "")}
        try:
            return cls.model_validate(set_ones)
        except ValidationError as error:
            raise InvalidSettings(map(_problem, error.errors())) from error


def variable(field: str) -> str:
    """The environment variable of a field of Settings."""
    return PREFIX + field.upper()


@contextmanager
def naming_variables(*fields: str) -> Iterator[None]:
    """Turns an UnknownName or InvalidValue of one of these fields into InvalidSettings.

    For users of settings that were read from the environment.
    """
    try:
        yield
    except (UnknownName, InvalidValue) as error:
        if error.field not in fields:
            raise
        raise InvalidSettings([f"{variable(error.field)}: {error}"]) from error


def _problem(error: ErrorDetails) -> str:
    name = str(error["loc"][0])
    if name in SECRETS:  # the value itself is a secret
        missing = error["input"] is None
        absent = f"is not set, and {variable('mode')}={Mode.JUDGE} needs it"
        problem = absent if missing else "is not valid"
        return f"{variable(name)}: it {problem}; valid: {valid_values(name)}"
    return f"{variable(name)}: {error['input']!r} is not valid; valid: {valid_values(name)}"


def valid_values(name: str) -> str:
    """The values that a field takes, from its type and its bounds; an example where any text is."""
    field = Settings.model_fields[name]
    return valid_range(name) or f"such as {field.default} ({field.description})"


def valid_range(name: str) -> str:
    """The same; empty where any text is."""
    if name in SECRETS:
        return SECRETS[name]
    if name == "mode":
        return ", ".join(Mode)
    field = Settings.model_fields[name]
    kinds = (field.annotation, *get_args(field.annotation))
    text = "a whole number" if int in kinds else "a number" if float in kinds else ""
    limits = {type(limit): limit for limit in field.metadata}
    for limit_class, word in ((Gt, "above"), (Ge, "from"), (Le, "up to")):
        if limit_class in limits:
            limit = limits[limit_class]
            text += f" {word} {getattr(limit, limit_class.__name__.lower()):g}"
    return text
