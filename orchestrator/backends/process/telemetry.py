"""Measures one window: scrapes before and after it, and the spans of it. Never interprets them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestrator.backends.control_port import ControlPorts, Target
from orchestrator.backends.process.lifecycle import ProcessLifecycle
from orchestrator.backends.process.supervisor import Process, unless_dead
from orchestrator.errors import ReplicaUnreachable
from orchestrator.telemetry.spans import SpanStore
from orchestrator.telemetry.window import Sample, Window, measure
from services.mesh.topology import USERS

T = TypeVar("T")


class ProcessTelemetry:
    """Asks all processes at once, so that a window costs little more than it lasts."""

    def __init__(
        self,
        lifecycle: ProcessLifecycle,
        control: ControlPorts,
        spans: SpanStore,
        step_seconds: float,
    ) -> None:
        self._lifecycle = lifecycle
        self._control = control
        self._spans = spans
        self._step_seconds = step_seconds

    async def observe(self, step: int) -> Window:
        """Raises ReplicaUnreachable where one lives but does not answer, or the users died."""
        start_ns, started_s = time.time_ns(), time.monotonic()
        before = await self._ask_all(self._control.scrape)
        await asyncio.sleep(started_s + self._step_seconds - time.monotonic())
        end_ns = time.time_ns()
        after = await self._ask_all(self._scrape_and_flush)
        for users in self._lifecycle.processes(USERS):
            if users not in after:
                raise ReplicaUnreachable(USERS, f"no traffic ({users})")
        return Window(
            step,
            # A process is its own baseline only: one started within the window counts from zero.
            measure(
                {process.name: sample for process, sample in before.items() if process in after},
                {process.name: sample for process, sample in after.items()},
                self._step_seconds,
            ),
            self._spans.edge_calls(start_ns, end_ns),
        )

    async def _scrape_and_flush(self, target: Target) -> Sample:
        """Counters at once; the spans, which carry their own time, can wait for them."""
        sample = await self._control.scrape(target)
        await self._control.flush(target)
        return sample

    async def _ask_all(self, ask: Callable[[Target], Awaitable[T]]) -> dict[Process, T]:
        """The answers of all that serve, asked side by side; those that died are left out."""
        asked = [(p, target) for p in self._lifecycle.processes() if (target := p.serving)]
        answers = await asyncio.gather(*(unless_dead(p, ask(target)) for p, target in asked))
        return {
            process: answer
            for (process, _), answer in zip(asked, answers, strict=True)
            if answer is not None
        }
