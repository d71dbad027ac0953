"""The parts of the benchmark of each shipped backend. Measures nothing until a part is measured."""

import asyncio

from benchmarks.crowd import Crowd, crowd_figures
from benchmarks.episodes import (
    Bounds,
    Part,
    ProcessTree,
    episode_figures,
    lifecycle_figures,
    side_by_side_figures,
)
from benchmarks.mesh_cost import mesh_cost_figures
from benchmarks.server import server_figures
from benchmarks.sessions import session_figures
from benchmarks.simulator import simulator_parts
from benchmarks.stack import stack_parts
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from sre_autopilot.errors import UnknownName
from sre_autopilot.simulator.backend import SimulatorBackend


def parts(backend: str, runs: int, *, endurance: int, meshes: int, crowd: int = 0) -> list[Part]:
    """What to measure on a backend, `runs` times each.

    endurance: docker only; so many episodes in a row and nothing else, where it is not 0.
    meshes: process only; how many meshes the last part plays on at once.
    crowd: simulator only; so many sessions of a trainer and nothing else, where it is not 0.
    Raises UnknownName; on docker, StackUnavailable where the images cannot be built.
    """
    makers = {
        ProcessBackend.name: lambda: process_parts(runs, meshes),
        DockerBackend.name: lambda: stack_parts(runs, endurance),
        SimulatorBackend.name: lambda: simulated_parts(runs, crowd),
    }
    if backend not in makers:
        raise UnknownName("backend", backend, makers)
    return makers[backend]()


def simulated_parts(runs: int, crowd: int) -> list[Part]:
    if crowd:
        name = f"{crowd} sessions on several workers"
        return [Part(name, lambda: asyncio.run(crowd_figures(Crowd(crowd), runs)))]
    return [
        *simulator_parts(runs),
        Part("sessions on one server", lambda: asyncio.run(session_figures(runs))),
    ]


def process_parts(runs: int, meshes: int) -> list[Part]:
    bounds = Bounds(restart_s=0.3, reset_s=3, episode_s=20, memory_mb=400)
    return [
        Part("CPU of a mesh", lambda: mesh_cost_figures(runs, ProcessTree())),
        Part(
            "launches and restarts",
            lambda: asyncio.run(lifecycle_figures(ProcessBackend(), runs, bounds)),
        ),
        Part(
            "episodes on one mesh",
            lambda: episode_figures(ProcessBackend, runs, bounds, ProcessTree()),
        ),
        Part("episodes over HTTP", lambda: asyncio.run(server_figures(runs, meshes))),
        Part(f"episodes on {meshes} meshes", lambda: side_by_side_figures(runs, meshes)),
    ]
