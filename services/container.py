"""Entry of one container of the mesh: `python -m services.container user_db-0`, or `users`.

Everything beyond its name is ordered over its control port; the ports are always the same.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.process import serve
from services.runtime.spec import UNUSED_SEED, ProcessSpec
from sre_autopilot.world.stack import (
    CONTROL_PORT,
    DATA_PORT,
    REPLICAS,
    RUNTIME_MEMORY_MB,
    TOKEN_VARIABLE,
)
from sre_autopilot.world.topology import USERS
from sre_autopilot.world.vocabulary import Release

ANY_ADDRESS = "0.0.0.0"
CPU_STATS = (Path("/sys/fs/cgroup/cpu.stat"), Path("/sys/fs/cgroup/cpu/cpu.stat"))
"""Of the container's own cgroup, of version 2 and 1: its CPU quota is its own, and an outage may
lower it."""


def own_quota_file() -> Path | None:
    """The one of CPU_STATS that this machine has."""
    return next((file for file in CPU_STATS if file.exists()), None)


def spec_of(arguments: Sequence[str], environ: Mapping[str, str]) -> ProcessSpec:
    """The parameters of the container. Exits with status 2 for an unknown name."""
    parser = argparse.ArgumentParser(description="Serve one container of the mesh.")
    names = (*map(str, REPLICAS), USERS)
    parser.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    return ProcessSpec(
        name=parser.parse_args(arguments).name,
        release=Release.CURRENT,
        seed=UNUSED_SEED,
        data_dir=Path(tempfile.gettempdir()),
        host=ANY_ADDRESS,
        data_port=DATA_PORT,
        control_port=CONTROL_PORT,
        runtime_memory_mb=RUNTIME_MEMORY_MB,
        quota_file=own_quota_file(),
        token=environ.get(TOKEN_VARIABLE) or None,
    )


if __name__ == "__main__":
    serve(spec_of(sys.argv[1:], os.environ), sys.stdout.fileno())
