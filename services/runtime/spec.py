"""The parameters of one process of the mesh. A value; reads no environment."""

import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from sre_autopilot.world.draws import Stream, key
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import Release

LOOPBACK = "127.0.0.1"
UNUSED_SEED = -1
"""The seed of a process before its first episode; no episode has a negative seed."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process: a replica ("user_db-0") or the users ("users"). Port 0 means any free port.

    data_dir: where a database keeps its file, made anew at every start.
    runtime_memory_mb: MiB of interpreter and libraries that the process does not share with others.
    quota_file: `cpu.stat` of a CPU quota that is this process's own; None where it has none.
    token: of the mesh; without it neither port answers anybody. None: both answer everybody.
    """

    name: str
    release: Release
    seed: int
    data_dir: Path
    host: str = LOOPBACK
    data_port: int = 0
    control_port: int = 0
    runtime_memory_mb: int = 0
    quota_file: Path | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def service(self) -> Service | None:
        """The service that this is a replica of; None for the users. Raises ValueError."""
        return None if self.name == USERS else Service(self.name.rpartition("-")[0])

    @property
    def service_name(self) -> str:
        return self.service or USERS

    @property
    def draw_seed(self) -> int:
        """Seed of this process alone, so that two replicas do not draw the same delays."""
        return key(self.seed, Stream.SERVICE, zlib.crc32(self.name.encode()))

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `from_json` reads them."""
        quota_file = None if self.quota_file is None else str(self.quota_file)
        texts = {"release": str(self.release), "data_dir": str(self.data_dir)}
        return {**asdict(self), **texts, "quota_file": quota_file}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        quota_file = plain.get("quota_file")
        return cls(
            **{
                **plain,
                "release": Release(plain["release"]),
                "data_dir": Path(plain["data_dir"]),
                "quota_file": None if quota_file is None else Path(quota_file),
            }
        )
