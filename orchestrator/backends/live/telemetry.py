"""Measures one window: scrapes before and after it, and its spans. Never interprets them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.backends.live.control_client import ControlClient, Target
from orchestrator.backends.live.replicas import ReplicaHandle, ReplicaSet, unless_exited
from orchestrator.errors import ReplicaUnreachable
from orchestrator.telemetry.host import HostClocks, host_figures
from orchestrator.telemetry.spans import NANOS, SpanStore
from orchestrator.telemetry.window import Sample, Window, measure
from sre_autopilot.world.topology import USERS, Service

T = TypeVar("T")


FRESH_RATIO = 0.3
"""A scrape not older than this share of a window opens the next one, so that a step that follows at
once costs the mesh one scrape instead of two."""


@dataclass(frozen=True, slots=True)
class _Scrape:
    """All samples, and when they were requested: on the monotonic clock and on that of spans."""

    requested_at_s: float
    requested_at_ns: int
    samples: Mapping[ReplicaHandle, Sample]


class MeshTelemetry:
    """Scrapes all processes at once, so that a step takes little longer than its window."""

    def __init__(
        self,
        replicas: ReplicaSet,
        control: ControlClient,
        step_seconds: float,
    ) -> None:
        self._replicas = replicas
        self._control = control
        self._spans = SpanStore()
        self._step_seconds = step_seconds
        self._last: _Scrape | None = None
        self._clocks = HostClocks()

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        """Raises ReplicaUnreachable where one runs but does not answer, or the traffic ended."""
        if step == 0:
            # The first flush of a new process costs it more CPU than any later one.
            await self._flush_all()
        # Before the scrape: on a busy machine that may take longer than the window.
        started_s, start_ns = time.monotonic(), time.time_ns()
        clock = self._clocks.read()
        start = self._last
        if start is None or started_s - start.requested_at_s > FRESH_RATIO * self._step_seconds:
            start = _Scrape(started_s, start_ns, await self._ask_all(self._control.scrape))
        self._last = None
        due_s = started_s + self._step_seconds
        await asyncio.sleep(due_s - time.monotonic())
        overshoot_s = max(0.0, time.monotonic() - due_s)
        clocks = (clock, self._clocks.read())
        await self._replicas.refresh()
        ended_s, end_ns = time.monotonic(), time.time_ns()
        after = await self._flush_all()
        for users in self._replicas.handles(USERS):
            if users not in after:
                raise ReplicaUnreachable(USERS, f"no traffic ({users})")
        self._last = _Scrape(ended_s, end_ns, after)
        # A process is its own baseline only: one started within the window counts from zero.
        samples_before = {h.name: sample for h, sample in start.samples.items() if h in after}
        samples_after = {handle.name: sample for handle, sample in after.items()}
        return Window(
            step,
            measure(samples_before, samples_after, self._step_seconds, open_breakers),
            self._spans.edge_calls(start.requested_at_ns, end_ns),
            began_at=start.requested_at_ns / NANOS,
            ended_at=end_ns / NANOS,
            host=host_figures(samples_before, samples_after, clocks, overshoot_s),
            lapsed=self._lapsed(after),
        )

    async def _flush_all(self) -> dict[ReplicaHandle, Sample]:
        flushed = await self._ask_all(self._control.flush)
        for of_one in flushed.values():
            self._spans.add(of_one.spans)
        return {handle: of_one.sample for handle, of_one in flushed.items()}

    def _lapsed(self, after: Mapping[ReplicaHandle, Sample]) -> tuple[str, ...]:
        return tuple(
            handle.name
            for handle, sample in after.items()
            if handle.target and not self._control.impaired_as_ordered(handle.target, sample)
        )

    async def _ask_all(self, ask: Callable[[Target], Awaitable[T]]) -> dict[ReplicaHandle, T]:
        """Answers of all that serve, asked concurrently, without those that exited meanwhile."""
        serving = [
            (handle, target) for handle in self._replicas.handles() if (target := handle.serving)
        ]
        answers = await asyncio.gather(
            *(unless_exited(handle, ask(target)) for handle, target in serving)
        )
        return {
            handle: answer
            for (handle, _), answer in zip(serving, answers, strict=True)
            if answer is not None
        }
