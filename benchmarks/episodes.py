"""Figures of any backend: launches, restarts, healthy episodes, and what they cost."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import psutil

from benchmarks.figures import MIB, Figure, sla_met_pct
from orchestrator.backends.base import Backend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.policies.policy import WAIT
from sre_autopilot.world.deployment import initial_deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a benchmark, whose name is shown while it is measured."""

    name: str
    measure: Callable[[], list[Figure]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a backend may take: seconds, and MiB of memory of one mesh."""

    restart_s: float
    reset_s: float
    episode_s: float
    memory_mb: float


class Usage(Protocol):
    """What the mesh of a backend uses."""

    def memory_mb(self) -> float: ...

    def cpu_s(self) -> float:
        """CPU seconds since a moment that does not change."""
        ...


async def lifecycle_figures(backend: Backend, runs: int, bounds: Bounds) -> list[Figure]:
    """Seconds to launch a mesh, the first launch left out, and to restart each service."""
    launches, restarts = [], []
    await backend.launch(0)
    for run in range(runs):
        began = time.perf_counter()
        await backend.launch(run)
        launches.append(time.perf_counter() - began)
    for replica in [r.id for r in initial_deployment()] * runs:
        began = time.perf_counter()
        await backend.restart(replica)
        await backend.ready(frozenset({replica}))
        restarts.append(time.perf_counter() - began)
    await backend.aclose()
    return [
        Figure("seven services ready, not for the first time", "s", "<= 2", launches),
        Figure("restart to serving", "s", f"<= {bounds.restart_s:g}", restarts),
    ]


def episode_figures(
    make: Callable[[], Backend], runs: int, bounds: Bounds, usage: Usage
) -> list[Figure]:
    """Healthy episodes on one mesh: reset, steps, memory, CPU, and its SLA without a fault."""
    resets, whole, over, memory, cores = [], [], [], [], []
    records = []
    with Environment(make) as environment:
        for run in range(runs):
            began = time.perf_counter()
            environment.reset(seed=run, task_tier=Tier.CONTROL)
            resets.append(time.perf_counter() - began)
            busy, began = (
                usage.cpu_s(),
                time.perf_counter(),
            )  # a Docker engine takes seconds to answer
            while not environment.step(WAIT).done:
                pass
            steps_s = time.perf_counter() - began
            cores.append((usage.cpu_s() - busy) / steps_s)
            whole.append(resets[-1] + steps_s)
            memory.append(usage.memory_mb())
            records.append(environment.hidden_state())
            step_s = environment.step_seconds
            over += [100 * (s.duration_s or 0.0) / step_s - 100 for s in records[-1].steps]
    return [
        Figure("reset, its window included", "s", f"<= {bounds.reset_s:g}", resets),
        Figure("step beyond its window", "% of it", "<= 20", over),
        Figure("30-step episode, reset included", "s", f"<= {bounds.episode_s:g}", whole),
        Figure("memory of one mesh", "MiB", f"<= {bounds.memory_mb:g}", memory),
        Figure("CPU of one mesh and its orchestrator", "cores", "", cores),
        Figure("control SLA met, one mesh", "% of windows", ">= 99", sla_met_pct(records)),
        *rest_latency(records),
    ]


def side_by_side_figures(runs: int, width: int) -> list[Figure]:
    """Healthy episodes on `width` meshes at once."""

    def on_one_mesh(mesh: int) -> list[EpisodeRecord]:
        with Environment(ProcessBackend) as environment:
            return [
                play(environment, load_policy(ActionName.WAIT), Tier.CONTROL, 100 * mesh + run)[0]
                for run in range(runs)
            ]

    with ThreadPoolExecutor(width) as pool:
        records = [record for played in pool.map(on_one_mesh, range(width)) for record in played]
    name = f"control SLA met, {width} meshes at once"
    return [Figure(name, "% of windows", ">= 99", sla_met_pct(records))]


def rest_latency(records: Sequence[EpisodeRecord]) -> list[Figure]:
    """Windowed p99 of each service at rest, all windows of all episodes."""
    return [
        Figure(f"p99 at rest: {service}", "ms", "median < 100", values)
        for service in Service
        if (
            values := [
                p99
                for record in records
                for step in record.steps[1:]
                if (p99 := step.true[service].latency_p99) is not None
            ]
        )
    ]


class ProcessTree:
    """The current process and its descendants; memory_mb leaves the process itself out."""

    def memory_mb(self) -> float:
        """Proportional set size: a page that n processes share counts 1/n in each."""
        children = psutil.Process().children(recursive=True)
        return float(sum(child.memory_full_info().pss for child in children)) / MIB

    def cpu_s(self) -> float:
        processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
        return float(sum(sum(process.cpu_times()[:2]) for process in processes))
