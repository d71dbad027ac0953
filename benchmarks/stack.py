"""What a stack of containers costs: its start, at rest, and while episodes are played in it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, TypeVar

import docker
import httpx
import psutil

from benchmarks.episodes import Bounds, Part, episode_figures, lifecycle_figures
from benchmarks.figures import MIB, Figure, sla_met_pct
from deploy.local_stack import Stack, build, stack
from orchestrator.backends import make_backend, prepare
from orchestrator.environment import Environment
from orchestrator.errors import StackUnavailable
from orchestrator.settings import Settings
from sre_autopilot.evaluation.run import TEST_SEEDS_FROM
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.stack import LABEL_PROJECT
from sre_autopilot.world.stack import Part as Container
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, ActionName, Tier

T = TypeVar("T")

IDLE_S = 20.0
READY_TIMEOUT_S = 120.0
POLL_S = 0.2
BOUNDS = Bounds(restart_s=2, reset_s=5, episode_s=60, memory_mb=1536)


def stack_parts(runs: int, endurance: int) -> list[Part]:
    """Each in a stack of its own, of images built first; only `endurance` episodes, if any."""

    def played(measure: Callable[[Settings, Stack], T]) -> T:
        with stack() as up:
            settings = Settings.from_env(up.environ)
            asyncio.run(prepare(settings))
            return measure(settings, up)

    def lifecycle(settings: Settings, _up: Stack) -> list[Figure]:
        return asyncio.run(lifecycle_figures(make_backend(settings)(), runs, BOUNDS))

    def episodes(settings: Settings, up: Stack) -> list[Figure]:
        return episode_figures(make_backend(settings), runs, BOUNDS, StackUsage(up.project))

    def in_a_row(settings: Settings, up: Stack) -> list[Figure]:
        return endurance_figures(settings, up, endurance)

    build()
    if endurance:
        return [Part(f"{endurance} episodes in a row", lambda: played(in_a_row))]
    return [
        Part("the start of the stack, and the stack at rest", lambda: idle_figures(runs)),
        Part("launches and restarts", lambda: played(lifecycle)),
        Part("episodes in the stack", lambda: played(episodes)),
    ]


def idle_figures(runs: int) -> list[Figure]:
    """The whole stack, its server included, before anybody plays."""
    ups, memory, cores = [], [], []
    for _ in range(runs):
        began = time.perf_counter()
        with stack(with_server=True) as up:
            _until_healthy(up)
            ups.append(time.perf_counter() - began)
            usage = StackUsage(up.project)
            busy, began = usage.cpu_s(), time.perf_counter()
            Event().wait(IDLE_S)
            cores.append((usage.cpu_s() - busy) / (time.perf_counter() - began))
            memory.append(usage.memory_mb())
    return [
        Figure("stack healthy, images built", "s", "<= 30", ups),
        Figure("memory of all containers at rest", "MiB", f"<= {BOUNDS.memory_mb:g}", memory),
        Figure("CPU of all containers at rest", "cores", "<= 0.5", cores),
    ]


def endurance_figures(settings: Settings, up: Stack, episodes: int) -> list[Figure]:
    """What there is before, halfway and after many broken and mended episodes, in this order."""
    usage, names = StackUsage(up.project), ("containers", "networks", "open files", "memory, MiB")
    counts: dict[str, list[float]] = {name: [] for name in names}
    healthy: list[EpisodeRecord] = []
    oracle, idle = load_policy("oracle"), load_policy(ActionName.WAIT)
    with Environment(make_backend(settings)) as environment:
        for episode in range(episodes):
            if episode % max(1, episodes // 2) == 0 or episode == episodes - 1:
                healthy.append(play(environment, idle, Tier.CONTROL, episode)[0])
                counts["containers"].append(up.count("container"))
                counts["networks"].append(up.count("network"))
                counts["memory, MiB"].append(usage.memory_mb())
                counts["open files"].append(psutil.Process().num_fds() + up.open_files())
            else:
                tier = DEFAULT_TIERS[episode % len(DEFAULT_TIERS)]
                play(environment, oracle, tier, TEST_SEEDS_FROM + episode)
    series = {**counts, "control SLA met, %": sla_met_pct(healthy)}
    return [
        Figure(
            f"{name}: {' -> '.join(f'{value:.4g}' for value in values)}", "", "no growth", values
        )
        for name, values in series.items()
    ]


class StackUsage:
    """Of all containers of a stack as the engine counts it, and of this process, which plays."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._engine = docker.from_env()

    def memory_mb(self) -> float:
        """Without pages of files that the kernel can take back at once, as `docker stats`."""
        return sum(_in_use(one["memory_stats"]) for one in self._stats()) / MIB

    def cpu_s(self) -> float:
        containers = sum(one["cpu_stats"]["cpu_usage"]["total_usage"] for one in self._stats())
        return float(containers / 1e9 + sum(psutil.Process().cpu_times()[:2]))

    def _stats(self) -> list[Mapping[str, Any]]:
        label = f"{LABEL_PROJECT}={self._project}"
        running = self._engine.containers.list(filters={"label": label})
        ask = self._engine.api.stats
        return [ask(container.id, stream=False, one_shot=True) for container in running]


def _in_use(memory: Mapping[str, Any]) -> float:
    """Of one container; one that has just ended uses nothing."""
    kinds = memory.get("stats", {})
    cache = kinds.get("total_inactive_file", kinds.get("inactive_file", 0))
    return float(memory.get("usage", 0) - cache)


def _until_healthy(up: Stack) -> None:
    """Every container that runs is healthy, and the server has a session free."""
    until_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < until_s:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(up.url(Container.ORCHESTRATOR) + "/ready").is_success and up.healthy:
                return
        Event().wait(POLL_S)
    raise StackUnavailable(f"not healthy within {READY_TIMEOUT_S:g} s: {up.statuses()}")
