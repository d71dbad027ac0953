"""The users: open-loop Poisson traffic to the entry. Arrivals never wait for answers.

Waiting for an answer before the next request would hide exactly the seconds in which nothing is
answered (coordinated omission). A late request is sent all the same, and its lateness measured.
"""

import asyncio
import contextlib
import math
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count

import httpx

from services.runtime.app import Runtime
from services.runtime.catalogue import ITEM_COUNT, USER_COUNT, password, user_name
from services.runtime.downstream import CallFailed, mesh_request
from services.runtime.spec import ProcessSpec
from sre_autopilot.world.draws import Stream, integer_between, uniform
from sre_autopilot.world.signals import TRAFFIC_LATENESS
from sre_autopilot.world.topology import ARRIVALS_PER_S, ENTRY, JOURNEY_SHARES, Journey

WARM_UP = {Journey.CHECKOUT: 20, Journey.BROWSE: 4, Journey.LOGIN: 2}
"""Visits before the first episode, by journey. The first calls of a new process cost it twice the
CPU of later ones: code is specialised, and the pages that it shares with the zygote are copied. A
mesh that is on call has run for long, and policies read CPU."""
WARM_UP_AT_ONCE = 4
WARM_UP_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One user, `at_s` seconds after the start of the traffic."""

    at_s: float
    journey: Journey
    user: int
    item: int


def arrivals(seed: int, rate_per_s: float = ARRIVALS_PER_S) -> Iterator[Arrival]:
    """Endless; the same for the same seed."""
    at_s = 0.0
    for index in count():
        gap, which, user, item = (
            uniform(seed, Stream.TRAFFIC, purpose, index) for purpose in range(4)
        )
        at_s -= math.log(1.0 - gap) / rate_per_s
        yield Arrival(
            at_s,
            journey_at(which),
            integer_between(0, USER_COUNT - 1, user),
            integer_between(0, ITEM_COUNT - 1, item),
        )


def journey_at(draw: float) -> Journey:
    """Maps a uniform draw to a journey by its share."""
    for journey, share in JOURNEY_SHARES.items():
        draw -= share
        if draw < 0.0:
            return journey
    return journey


def request_of(arrival: Arrival) -> httpx.Request:
    """The request of one arrival."""
    if arrival.journey is Journey.BROWSE:
        return mesh_request("GET", ENTRY, f"/browse?after={arrival.item}")
    form = {"name": user_name(arrival.user), "password": password(arrival.user)}
    if arrival.journey is Journey.LOGIN:
        return mesh_request("POST", ENTRY, "/login", form)
    return mesh_request("POST", ENTRY, "/checkout", {**form, "item": arrival.item})


class Traffic:
    """Sends arrivals at their times, each with a trace of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lateness = runtime.metrics.histogram(
            TRAFFIC_LATENESS, "How late requests were sent after their scheduled time"
        )
        runtime.metrics.windowed.register(self._lateness)
        runtime.warm = Future()

    async def run(self) -> None:
        """Waits for the first routing and warms up, then never ends; another seed's arrivals begin
        at once.
        """
        await self._runtime.routing.wait_for_table()
        await self._warm_up()
        async with asyncio.TaskGroup() as visits:
            while True:
                await self._episode(self._runtime.spec, visits)

    async def _warm_up(self) -> None:
        """Some visits at a time; a mesh that does not answer is not waited for."""
        journeys = (journey for journey, visits in WARM_UP.items() for _ in range(visits))
        visits = (Arrival(0.0, journey, index, index) for index, journey in enumerate(journeys))

        async def one_after_the_other() -> None:
            for visit in visits:
                await self._visit(visit)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP_LIMIT_S), asyncio.TaskGroup() as group:
                for _ in range(WARM_UP_AT_ONCE):
                    group.create_task(one_after_the_other())
        self._runtime.warm.set_result(None)

    async def _episode(self, spec: ProcessSpec, visits: asyncio.TaskGroup) -> None:
        """Sends the arrivals of the seed of `spec`, until another is assigned."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        for arrival in arrivals(spec.seed):
            due = started + arrival.at_s
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if self._runtime.spec is not spec:
                return
            self._lateness.observe(max(0.0, loop.time() - due))
            visits.create_task(self._visit(arrival))

    async def _visit(self, arrival: Arrival) -> None:
        journey = self._runtime.tracing.tracer.start_as_current_span(arrival.journey)
        with journey, contextlib.suppress(CallFailed):  # counted by the transport
            await self._runtime.downstream.call(request_of(arrival))
