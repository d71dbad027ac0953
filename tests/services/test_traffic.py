"""The users: when they come, what for, and that they do not wait for answers."""

import asyncio
import json
import statistics
from collections.abc import AsyncIterator
from itertools import islice, pairwise

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from services.runtime.app import Runtime
from services.traffic import Arrival, Traffic, arrivals, journey_at, request_of
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    LABEL_OUTCOME,
    LABEL_PEER,
    TRAFFIC_LATENESS,
    Outcome,
)
from sre_autopilot.world.topology import ARRIVALS_PER_S, ENTRY, JOURNEY_SHARES, USERS, Journey
from sre_autopilot.world.vocabulary import Release
from tests.services.conftest import MakeRuntime
from tests.services.neighbours import Callee, eventually, route, sample
from tests.services.whole_mesh import whole_mesh

pytestmark = pytest.mark.anyio

MANY = 4000


@pytest.fixture
async def users(make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(USERS)


@pytest.fixture
def warm_up() -> dict[Journey, int]:
    """Visits before the first episode."""
    return {}


@pytest.fixture
async def traffic(
    users: Runtime, warm_up: dict[Journey, int], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncio.Task[None]]:
    monkeypatch.setattr("services.traffic.WARM_UP", warm_up)
    running = asyncio.create_task(Traffic(users).run())
    yield running
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


def ended(users: Runtime, outcome: Outcome) -> float:
    """Calls of the users that ended so."""
    labels = {LABEL_PEER: ENTRY, LABEL_OUTCOME: outcome}
    return sample(users.metrics.registry, f"{CLIENT_DURATION}_count", **labels)


def test_arrivals_are_the_seeds_own() -> None:
    assert list(islice(arrivals(1), 50)) == list(islice(arrivals(1), 50))
    assert list(islice(arrivals(1), 50)) != list(islice(arrivals(2), 50))


def test_arrivals_are_poisson_at_the_rate_of_the_world() -> None:
    times = [arrival.at_s for arrival in islice(arrivals(3), MANY)]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert min(gaps) > 0.0
    assert statistics.mean(gaps) == pytest.approx(1.0 / ARRIVALS_PER_S, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(1.0 / ARRIVALS_PER_S, rel=0.1)


def test_journeys_have_their_shares() -> None:
    journeys = [arrival.journey for arrival in islice(arrivals(3), MANY)]
    for journey, share in JOURNEY_SHARES.items():
        assert journeys.count(journey) / MANY == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("draw", "journey"),
    [
        (0.0, Journey.BROWSE),
        (0.499, Journey.BROWSE),
        (0.5, Journey.LOGIN),
        (0.701, Journey.CHECKOUT),
        (1.0 - 2.0**-53, Journey.CHECKOUT),
    ],
)
def test_a_draw_is_a_journey(draw: float, journey: Journey) -> None:
    assert journey_at(draw) is journey


@pytest.mark.parametrize("journey", Journey)
def test_every_request_is_for_the_entry(journey: Journey) -> None:
    request = request_of(Arrival(0.0, journey, user=4, item=5))
    assert request.url.host == ENTRY
    if journey is Journey.CHECKOUT:
        assert set(json.loads(request.read())) == {"name", "password", "item"}


async def test_traffic_waits_for_the_first_routing(
    users: Runtime, traffic: asyncio.Task[None]
) -> None:
    async with Callee().listening() as entry:
        while users.metrics.page().count(b"le=") == 0:
            await asyncio.sleep(0)  # until the generator runs
        assert entry.requests == []
        route(users, entry.address, to=ENTRY)
        await eventually(lambda: len(entry.requests) >= 3)
    assert not traffic.done()


async def test_arrivals_do_not_wait_for_answers(
    users: Runtime, traffic: asyncio.Task[None]
) -> None:
    """A silent entry gets as many requests as time brings, although none has been answered."""
    async with Callee(None).listening() as entry:
        route(users, entry.address, to=ENTRY)
        due = sum(arrival.at_s < 0.4 for arrival in islice(arrivals(users.spec.seed), 100))
        await eventually(lambda: len(entry.requests) >= due)
        assert ended(users, Outcome.OK) == 0
    assert sample(users.metrics.registry, f"{TRAFFIC_LATENESS}_count") >= due


@pytest.mark.parametrize("seed", [7, 8], ids=["the same", "another"])
async def test_another_episode_begins_with_the_first_arrival_of_its_seed(
    users: Runtime, traffic: asyncio.Task[None], seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[Arrival] = []

    def asked(arrival: Arrival) -> httpx.Request:
        came.append(arrival)
        return request_of(arrival)

    monkeypatch.setattr("services.traffic.request_of", asked)
    begin = list(islice(arrivals(seed), 5))
    async with Callee().listening() as entry:
        route(users, entry.address, to=ENTRY)
        await eventually(lambda: len(came) > 5)
        assert came[:5] == list(islice(arrivals(7), 5))
        before = len(came)
        users.assign(Release.CURRENT, seed)
        await eventually(lambda: begin in [came[i : i + 5] for i in range(before, len(came))])
    assert not traffic.done()


@pytest.mark.parametrize("warm_up", [{Journey.CHECKOUT: 6, Journey.BROWSE: 2}])
async def test_mesh_is_warm_when_the_visits_before_the_first_episode_are_answered(
    users: Runtime, traffic: asyncio.Task[None], warm_up: dict[Journey, int]
) -> None:
    async with Callee().listening() as entry:
        await eventually(lambda: not users.warm.done())
        route(users, entry.address, to=ENTRY)
        await eventually(users.warm.done)
        first = entry.requests[: sum(warm_up.values())]
        for journey, visits in warm_up.items():
            assert sum(f"/{journey}" in request for request in first) == visits


@pytest.mark.parametrize("warm_up", [{Journey.BROWSE: 2}])
async def test_mesh_that_does_not_answer_is_not_waited_for(
    users: Runtime, traffic: asyncio.Task[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.traffic.WARM_UP_LIMIT_S", 0.05)
    async with Callee(None).listening() as entry:
        route(users, entry.address, to=ENTRY)
        await eventually(lambda: len(entry.requests) > 2)
    assert users.warm.done()


async def test_users_without_an_answer_keep_coming(
    users: Runtime, traffic: asyncio.Task[None]
) -> None:
    route(users, to=ENTRY)
    await eventually(lambda: ended(users, Outcome.REFUSED) >= 3)
    assert not traffic.done()


async def test_each_journey_is_a_trace_of_its_own(
    users: Runtime, traffic: asyncio.Task[None], spans: InMemorySpanExporter
) -> None:
    async with Callee().listening() as entry:
        route(users, entry.address, to=ENTRY)
        done = spans.get_finished_spans
        await eventually(lambda: sum(span.parent is None for span in done()) >= 3)
    roots = {span.context.span_id: span for span in done() if span.parent is None}
    assert {span.name for span in roots.values()} <= set(Journey)
    assert len({span.context.trace_id for span in roots.values()}) == len(roots)
    calls = [span for span in done() if span.kind is SpanKind.CLIENT and span.parent]
    assert {span.parent.span_id for span in calls if span.parent} >= set(roots)


async def test_a_mesh_at_rest_serves_every_user(patience: None, make_runtime: MakeRuntime) -> None:
    """One after the other, for a mesh in one interpreter is no match for the rate of the world."""
    async with whole_mesh(make_runtime) as mesh:
        for arrival in islice(arrivals(1), 12):
            answer = await mesh.users.downstream.call(request_of(arrival))
            assert answer.status_code == 200, arrival
