"""How many sessions this machine carries at once: its best measurement, in the user's cache.

A mesh of processes costs a fixed amount of work a second, so what it takes of a core follows from
how fast a core is here. That is measured by a piece of work of the same kind as a hop: 20 ms of CPU
in all, counted in CPU time. Beside other programs that is longer, too: so it is measured at every
start, and the shortest of all times is kept.
"""

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.settings import Settings
from sre_autopilot.cores import usable_cores
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.simulator.cache_folder import cache_folder

FILE = "capacity.json"
SHARE = 0.4
"""Of all cores, what meshes may take in the mean: windows stay sound beside bursts and a server."""
REFERENCE_WORK_MS, REFERENCE_MESH_CORES = 1.9, 0.1
"""CPU of `_work` and of a mesh with its orchestrator, both on the machine of decision 075."""
SIMULATED_SESSIONS, STACK_SESSIONS, MOST_SESSIONS = 64, 1, 1024
"""In the simulator; in one stack of containers; the bound of SRE_MAX_SESSIONS."""
ROUNDS, HOPS = 5, 40


@dataclass(frozen=True, slots=True)
class Speed:
    """CPU time of a piece of work, ms, and the kind of machine that it was measured on."""

    machine: str
    work_ms: float

    @property
    def mesh_cores(self) -> float:
        """What one mesh and its orchestrator take, cores."""
        return REFERENCE_MESH_CORES * self.work_ms / REFERENCE_WORK_MS


def sessions_at_once(settings: Settings, environ: Mapping[str, str] = os.environ) -> int:
    """`max_sessions`, or where it is not set what this machine carries of the backend."""
    if settings.max_sessions is not None:
        return settings.max_sessions
    if settings.backend == SIMULATOR:
        return SIMULATED_SESSIONS
    if settings.backend == "docker":
        return STACK_SESSIONS
    return carried(usable_cores(), best_speed(environ).mesh_cores)


def carried(cores: float, mesh_cores: float) -> int:
    """Meshes of `mesh_cores` each that fit into SHARE of `cores`; at least one."""
    return max(1, min(MOST_SESSIONS, int(cores * SHARE / mesh_cores)))


def best_speed(environ: Mapping[str, str]) -> Speed:
    """Measured now, or before on this machine if that was faster; kept where it can be."""
    speed = Speed(machine_kind(), min(_work_ms() for _ in range(ROUNDS)))
    with contextlib.suppress(OSError, ValueError, TypeError, RuntimeError):
        before = Speed(**json.loads(_file(environ).read_text(encoding="utf-8")))
        if before.machine == speed.machine and 0 < before.work_ms <= speed.work_ms:
            return before
    with contextlib.suppress(OSError, RuntimeError):
        file = _file(environ)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(speed)) + "\n", encoding="utf-8")
    return speed


def machine_kind() -> str:
    """Another machine that shares the home folder, or another Python, is measured anew."""
    return f"{platform.node()} {platform.machine()} Python {platform.python_version()}"


def _work_ms() -> float:
    began_s = time.thread_time()
    _work()
    return 1000.0 * (time.thread_time() - began_s)


def _work() -> None:
    """As many objects, texts and hashes as HOPS calls between services make, about."""
    for hop in range(HOPS):
        page = {f"item-{index}": {"id": index, "price_cents": 7 * hop} for index in range(40)}
        text = json.dumps(page)
        headers = dict(line.partition(":")[::2] for line in text.split(","))
        digest = hashlib.sha256(text.encode()).hexdigest()
        json.loads(text)[f"item-{len(headers) % 40}"]["etag"] = digest


def _file(environ: Mapping[str, str]) -> Path:
    return cache_folder(environ) / FILE
