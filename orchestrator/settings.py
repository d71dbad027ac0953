"""Settings of the orchestrator, read once at a process's entry point; variables start with SRE_."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

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

    backend: str = Field("process", description="world to play in: process, docker, simulator")
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
        """Reads the variables named SRE_<FIELD>; raises pydantic.ValidationError on a bad one."""
        given = {name: environ.get(PREFIX + name.upper()) for name in cls.model_fields}
        return cls.model_validate({name: value for name, value in given.items() if value})
