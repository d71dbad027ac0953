"""Facts about this machine, for `sre-autopilot doctor`. Reads only: judges and changes nothing."""

import importlib.metadata
import importlib.util
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.recorder import is_writable
from sre_autopilot.capacity import best_speed, carried
from sre_autopilot.cores import UNLIMITED, file_lines, file_words, usable_cores
from sre_autopilot.distribution import DISTRIBUTION
from sre_autopilot.simulator.cache_folder import cache_folder

MIB = 2**20
COMMAND_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was read. `None` stands for what could not be read.

    cores: what this process may use: CPUs, its affinity, and the quota of its control group.
    mesh_cores: what one mesh of processes takes; meshes: how many of them the cores carry.
    cache_folder: None for a user without a home directory.
    memory_mb: available now, within the limit of the control group.
    taken_ports: those of the ports asked about that another program listens on.
    docker, compose: versions that answered; docker_problem: why the engine did not.
    requirements: those of the distribution, with markers; versions: of installed packages.
    """

    python: tuple[int, int]
    system: str
    has_proc: bool
    has_prctl: bool
    cores: float
    mesh_cores: float
    meshes: int
    memory_mb: float | None
    taken_ports: frozenset[int]
    docker: str | None
    docker_problem: str
    compose: str | None
    has_numba: bool
    cache_folder: Path | None
    cache_is_writable: bool
    cache_is_warm: bool
    requirements: tuple[str, ...] | None
    versions: Mapping[str, str]
    environ: Mapping[str, str]
    temp_folder: Path
    temp_free_mb: float


def read_machine(
    environ: Mapping[str, str], ports: Iterable[int], root: Path = Path("/")
) -> Machine:
    """Reads everything; asks Docker, which may take COMMAND_TIMEOUT_S.

    root: where /proc and /sys are found.
    """
    docker, docker_problem = _answer("docker", "version", "--format", "{{.Server.Version}}")
    compose, _problem = _answer("docker", "compose", "version", "--short")
    cache = _cache_folder(environ)
    cores, mesh_cores = usable_cores(root), best_speed(environ).mesh_cores
    temp = Path(tempfile.gettempdir())
    return Machine(
        python=sys.version_info[:2],
        system=platform.system(),
        has_proc=(root / "proc/self/stat").exists(),
        has_prctl=has_prctl(),
        cores=cores,
        mesh_cores=mesh_cores,
        meshes=carried(cores, mesh_cores),
        memory_mb=memory_mb(root),
        taken_ports=frozenset(port for port in ports if is_taken(port)),
        docker=docker,
        docker_problem=docker_problem,
        compose=compose,
        has_numba=importlib.util.find_spec("numba") is not None,
        cache_folder=cache,
        cache_is_writable=cache is not None and is_writable(cache),
        cache_is_warm=cache is not None and any(cache.glob("*/**/*.nbc")),
        requirements=requirements(),
        versions=versions(),
        environ=environ,
        temp_folder=temp,
        temp_free_mb=shutil.disk_usage(temp).free / MIB,
    )


def _cache_folder(environ: Mapping[str, str]) -> Path | None:
    try:
        return cache_folder(environ)
    except RuntimeError:  # no home directory
        return None


def memory_mb(root: Path = Path("/")) -> float | None:
    """MiB available now: of the machine, or what the control group leaves of its limit."""
    limits = []
    for line in file_lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            limits.append(int(line.split()[1]) / 1024)
    for limit_file, usage_file in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        limit = file_words(root / "sys/fs/cgroup" / limit_file)
        usage = file_words(root / "sys/fs/cgroup" / usage_file)
        if limit and usage and limit[0] != UNLIMITED:
            limits.append((int(limit[0]) - int(usage[0])) / MIB)
    return min(limits, default=None)


def is_taken(port: int) -> bool:
    """Whether another program listens on the port of all addresses of this machine."""
    try:
        socket.create_server(("0.0.0.0", port)).close()
    except OSError:
        return True
    return False


def has_prctl() -> bool:
    """Whether the C library has prctl, by which services end with the program that started them."""
    import ctypes

    try:
        return hasattr(ctypes.CDLL(None), "prctl")
    except (OSError, TypeError):  # no C library of this kind here
        return False


def requirements() -> tuple[str, ...] | None:
    """Of the installed distribution, with the markers of its extras; None where it is none."""
    try:
        return tuple(importlib.metadata.requires(DISTRIBUTION) or ())
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str]:
    """Of every installed package, by its normalized name."""
    from packaging.utils import canonicalize_name

    installed = {}
    for distribution in importlib.metadata.distributions():
        with suppress(KeyError, TypeError):  # broken metadata of another package
            installed[str(canonicalize_name(distribution.metadata["Name"]))] = distribution.version
    return installed


def _answer(*command: str) -> tuple[str | None, str]:
    """What a program prints, or None and why it gave no answer."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        return None, f"{command[0]} is not installed"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    text = ended.stdout.strip()
    if ended.returncode or not text:
        return None, (ended.stderr.strip().splitlines() or ["no answer"])[-1]
    return text, ""
