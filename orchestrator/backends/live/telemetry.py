"""Measures one window: scrapes before and after it, and the spans of it. Never interprets them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.backends.live.control_client import ControlPorts, Target
from orchestrator.backends.live.replicas import Life, Lives, unless_dead
from orchestrator.errors import ReplicaUnreachable
from orchestrator.telemetry.spans import NANOS, SpanStore
from orchestrator.telemetry.window import Sample, Window, measure
from sre_autopilot.world.topology import USERS, Service

T = TypeVar("T")


FRESH_RATIO = 0.3
"""A scrape not older than this share of a window opens the next one: a step that follows at once
costs the mesh one scrape, not two."""


@dataclass(frozen=True, slots=True)
class _Scrape:
    """All samples, and when they were asked for: on the monotonic clock and on that of spans."""

    at_s: float
    at_ns: int
    samples: Mapping[Life, Sample]


class MeshTelemetry:
    """Asks all processes at once, so that a window costs little more than it lasts."""

    def __init__(
        self,
        lives: Lives,
        control: ControlPorts,
        spans: SpanStore,
        step_seconds: float,
    ) -> None:
        self._lives = lives
        self._control = control
        self._spans = spans
        self._step_seconds = step_seconds
        self._last: _Scrape | None = None

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        """Raises ReplicaUnreachable where one lives but does not answer, or the users died."""
        started_s = time.monotonic()
        start = self._last
        if start is None or started_s - start.at_s > FRESH_RATIO * self._step_seconds:
            start = _Scrape(started_s, time.time_ns(), await self._ask_all(self._control.scrape))
        self._last = None
        await asyncio.sleep(started_s + self._step_seconds - time.monotonic())
        await self._lives.look()
        ended_s, end_ns = time.monotonic(), time.time_ns()
        after = await self._ask_all(self._scrape_and_flush)
        for users in self._lives.lives(USERS):
            if users not in after:
                raise ReplicaUnreachable(USERS, f"no traffic ({users})")
        self._last = _Scrape(ended_s, end_ns, after)
        return Window(
            step,
            # A process is its own baseline only: one started within the window counts from zero.
            measure(
                {p.name: sample for p, sample in start.samples.items() if p in after},
                {process.name: sample for process, sample in after.items()},
                self._step_seconds,
                open_breakers,
            ),
            self._spans.edge_calls(start.at_ns, end_ns),
            began_at=start.at_ns / NANOS,
            ended_at=end_ns / NANOS,
        )

    async def _scrape_and_flush(self, target: Target) -> Sample:
        """Counters at once; the spans, which carry their own time, can wait for them."""
        sample = await self._control.scrape(target)
        await self._control.flush(target)
        return sample

    async def _ask_all(self, ask: Callable[[Target], Awaitable[T]]) -> dict[Life, T]:
        """The answers of all that serve, asked side by side; those that died are left out."""
        asked = [(p, target) for p in self._lives.lives() if (target := p.serving)]
        answers = await asyncio.gather(*(unless_dead(p, ask(target)) for p, target in asked))
        return {
            process: answer
            for (process, _), answer in zip(asked, answers, strict=True)
            if answer is not None
        }
