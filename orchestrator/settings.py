"""Settings of the orchestrator, read once at a process's entry point; variables start with SRE_."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "SRE_"


class Settings(BaseModel):
    """What a user may set; see the README's table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = Field("process", description="world to play in: process")
    step_seconds: float | None = Field(
        None, gt=0.1, le=60.0, description="length of a window, s (default: the backend's own)"
    )
    record_dir: Path | None = Field(
        None, description="folder for the records of episodes, one JSON-lines file each"
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Reads the variables named SRE_<FIELD>; raises pydantic.ValidationError on a bad one."""
        given = {name: environ.get(PREFIX + name.upper()) for name in cls.model_fields}
        return cls.model_validate({name: value for name, value in given.items() if value})
