"""What each service does of its own, in a mesh of all seven in one interpreter."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from services.auth_service import verify
from services.runtime.catalogue import ITEM_COUNT, PAGE_ITEMS, STOCK, password, user_name
from services.runtime.downstream import CallFailed
from services.user_db import HASH_ITERATIONS, ROWS
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    LABEL_OUTCOME,
    LABEL_PEER,
    SPAN_PEER,
    Outcome,
)
from sre_autopilot.world.topology import CALL_TIMEOUT_S, CALLS, DATABASES, ENTRY, Service
from tests.services.conftest import MakeRuntime
from tests.services.neighbours import eventually, sample
from tests.services.whole_mesh import Mesh, whole_mesh

pytestmark = pytest.mark.anyio

CREDENTIALS = {"name": user_name(3), "password": password(3)}


@pytest.fixture
async def mesh(patience: None, make_runtime: MakeRuntime) -> AsyncIterator[Mesh]:
    async with whole_mesh(make_runtime) as mesh:
        yield mesh


@pytest.fixture
async def hasty(make_runtime: MakeRuntime) -> AsyncIterator[Mesh]:
    """A mesh that waits no longer than the world's does."""
    async with whole_mesh(make_runtime) as mesh:
        yield mesh


class Direct:
    """Calls one service past its callers, without a span."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh

    async def __call__(
        self, service: Service, method: str, path: str, body: object = None
    ) -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            return await client.request(method, self._mesh.addresses[service] + path, json=body)


@pytest.fixture
def call(mesh: Mesh) -> Direct:
    return Direct(mesh)


async def journey(mesh: Mesh, path: str, form: dict[str, Any] | None = None) -> httpx.Response:
    """What a user sends to the entry."""
    if form is None:
        return await mesh.users.downstream.get(ENTRY, path)
    return await mesh.users.downstream.post(ENTRY, path, form)


def called(mesh: Mesh, caller: Service, callee: Service, outcome: Outcome = Outcome.OK) -> float:
    labels = {LABEL_PEER: callee, LABEL_OUTCOME: outcome}
    return sample(mesh.runtimes[caller].metrics.registry, f"{CLIENT_DURATION}_count", **labels)


def name_of(span: ReadableSpan) -> object:
    return span.resource.attributes["service.name"]


async def test_browsing_lists_a_page_of_products(mesh: Mesh) -> None:
    answer = await journey(mesh, "/browse?after=9")
    products = answer.json()["products"]
    assert [product["id"] for product in products] == list(range(10, 10 + PAGE_ITEMS))
    assert set(products[0]) == {"id", "name", "price_cents"}
    assert (await journey(mesh, f"/browse?after={ITEM_COUNT - 1}")).json()["products"] == []


async def test_logging_in_gives_a_token_of_ones_own(mesh: Mesh) -> None:
    token = (await journey(mesh, "/login", CREDENTIALS)).json()["token"]
    assert token.startswith(f"{CREDENTIALS['name']}.")
    assert (await journey(mesh, "/login", CREDENTIALS)).json()["token"] == token
    other = {"name": user_name(4), "password": password(4)}
    signature = (await journey(mesh, "/login", other)).json()["token"].partition(".")[2]
    assert signature != token.partition(".")[2]


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"name": "nobody"}])
@pytest.mark.parametrize("path", ["/login", "/checkout"])
async def test_an_unknown_user_is_refused(mesh: Mesh, path: str, wrong: dict[str, str]) -> None:
    answer = await journey(mesh, path, CREDENTIALS | {"item": 1} | wrong)
    assert answer.status_code == 401
    assert called(mesh, ENTRY, Service.ORDER_SERVICE) == 0


async def test_a_checkout_reserves_charges_and_records(mesh: Mesh, call: Direct) -> None:
    order = (await journey(mesh, "/checkout", CREDENTIALS | {"item": 5, "quantity": 3})).json()
    assert order == {"id": 1, "name": CREDENTIALS["name"], "reserved": True, "charged": True}
    assert (await call(Service.ORDER_SERVICE, "GET", "/orders")).json() == [order]
    stream = await call(Service.INVENTORY_DB, "GET", "/items?after=4&limit=1")
    assert json.loads(stream.text)["stock"] == STOCK - 3


async def test_an_item_out_of_stock_cannot_be_bought(mesh: Mesh) -> None:
    greedy = CREDENTIALS | {"item": 5, "quantity": STOCK + 1}
    assert (await journey(mesh, "/checkout", greedy)).status_code == 409
    assert called(mesh, Service.ORDER_SERVICE, Service.PAYMENT_GATEWAY) == 0
    nothing = CREDENTIALS | {"item": ITEM_COUNT, "quantity": 1}
    assert (await journey(mesh, "/checkout", nothing)).status_code == 409


@pytest.mark.parametrize(
    ("service", "path", "body"),
    [
        (ENTRY, "/login", {"name": "x"}),
        (Service.AUTH_SERVICE, "/sessions", {}),
        (Service.ORDER_SERVICE, "/orders", {"name": "x", "item": 1, "quantity": 0}),
        (Service.INVENTORY_DB, "/items/1/reservations", {"quantity": -1}),
        (Service.PAYMENT_GATEWAY, "/charges", {"amount_cents": 0}),
    ],
)
async def test_nonsense_is_refused(call: Direct, service: Service, *, path: str, body: Any) -> None:
    assert (await call(service, "POST", path, body)).status_code == 422


async def test_calls_go_along_the_graph_and_nowhere_else(mesh: Mesh) -> None:
    await journey(mesh, "/browse")
    await journey(mesh, "/checkout", CREDENTIALS | {"item": 1})
    made = {
        caller: {callee for callee in Service if called(mesh, caller, callee)} for caller in Service
    }
    assert made == {caller: set(callees) for caller, callees in CALLS.items()}


async def test_a_trace_runs_through_every_hop(mesh: Mesh, spans: InMemorySpanExporter) -> None:
    with mesh.users.tracing.tracer.start_as_current_span("visit") as root:
        await journey(mesh, "/checkout", CREDENTIALS | {"item": 1})
    done = spans.get_finished_spans
    await eventually(lambda: len(done()) == 13)  # 6 calls of 2 spans each, and the root
    assert {span.context.trace_id for span in done()} == {root.get_span_context().trace_id}
    by_id = {span.context.span_id: span for span in done()}
    for span in done():
        if span.kind is SpanKind.SERVER:
            assert span.parent is not None
            parent = by_id[span.parent.span_id]
            assert (parent.attributes or {})[SPAN_PEER] == name_of(span)
            assert span.name.startswith(("GET /", "POST /"))


async def test_server_spans_are_named_by_route(mesh: Mesh, spans: InMemorySpanExporter) -> None:
    await journey(mesh, "/login", CREDENTIALS)
    await eventually(lambda: len(spans.get_finished_spans()) == 6)
    names = {s.name for s in spans.get_finished_spans() if s.kind is SpanKind.SERVER}
    assert names == {"POST /login", "POST /sessions", "GET /users/{name}"}


@pytest.mark.parametrize(
    ("broken", "path", "degraded"),
    [
        (Service.PRODUCT_SERVICE, "/browse", {"products": [], "degraded": True}),
        (Service.INVENTORY_DB, "/browse", {"products": [], "degraded": True}),
        (Service.AUTH_SERVICE, "/login", {"degraded": True}),
        (Service.USER_DB, "/login", {"degraded": True}),
        (Service.AUTH_SERVICE, "/checkout", {"reserved": True, "charged": True}),
        (Service.USER_DB, "/checkout", {"reserved": True, "charged": True}),
        (Service.ORDER_SERVICE, "/checkout", {"degraded": True}),
        (Service.INVENTORY_DB, "/checkout", {"reserved": False, "charged": True}),
        (Service.PAYMENT_GATEWAY, "/checkout", {"reserved": True, "charged": False}),
    ],
)
async def test_an_open_breaker_degrades_answers_and_fails_none(
    mesh: Mesh, *, broken: Service, path: str, degraded: dict[str, Any]
) -> None:
    mesh.route(broken)
    form = None if path == "/browse" else CREDENTIALS | {"item": 1}
    answer = await journey(mesh, path, form)
    assert answer.status_code == 200
    assert answer.json() | degraded == answer.json()
    for caller in Service:
        assert called(mesh, caller, broken) == 0


@pytest.mark.parametrize(
    ("missing", "path"),
    [
        (Service.INVENTORY_DB, "/browse"),
        (Service.USER_DB, "/login"),
        (Service.PAYMENT_GATEWAY, "/checkout"),
        (Service.ORDER_SERVICE, "/checkout"),
    ],
)
async def test_a_callee_that_is_away_fails_the_journey(
    mesh: Mesh, missing: Service, path: str
) -> None:
    mesh.route(away=frozenset({missing}))
    with pytest.raises(CallFailed) as failure:
        await journey(mesh, path, None if path == "/browse" else CREDENTIALS | {"item": 1})
    assert failure.value.outcome is Outcome.ERROR


async def test_a_silent_callee_times_out_and_says_so(hasty: Mesh) -> None:
    hasty.runtimes[Service.INVENTORY_DB].link.partitioned = 1.0
    answer = await Direct(hasty)(Service.PRODUCT_SERVICE, "GET", "/products")
    assert answer.status_code == 504
    assert Service.INVENTORY_DB in answer.json()["detail"]
    assert called(hasty, Service.PRODUCT_SERVICE, Service.INVENTORY_DB, Outcome.TIMEOUT) == 1
    registry = hasty.runtimes[Service.PRODUCT_SERVICE].metrics.registry
    labels = {LABEL_PEER: Service.INVENTORY_DB, LABEL_OUTCOME: Outcome.TIMEOUT}
    assert sample(registry, f"{CLIENT_DURATION}_sum", **labels) == CALL_TIMEOUT_S


@pytest.mark.parametrize(("impairment", "served"), [("drop_ratio", 1), ("partitioned", 0)])
async def test_a_dropped_call_leaves_a_server_span_and_a_silenced_one_none(
    hasty: Mesh, spans: InMemorySpanExporter, *, impairment: str, served: int
) -> None:
    payment = hasty.runtimes[Service.PAYMENT_GATEWAY]
    setattr(payment.link, impairment, 1.0)
    with pytest.raises(CallFailed):
        await hasty.runtimes[Service.ORDER_SERVICE].downstream.post(
            Service.PAYMENT_GATEWAY, "/charges", {"amount_cents": 1}
        )
    ended = [span.kind for span in spans.get_finished_spans()]
    assert ended.count(SpanKind.CLIENT) == 1
    assert ended.count(SpanKind.SERVER) == served


@pytest.mark.parametrize("database", DATABASES)
async def test_an_empty_pool_is_felt_up_to_the_entry(hasty: Mesh, database: Service) -> None:
    replica = f"{database}-0"
    await hasty.runtimes[database].held_connections.converge({replica: 10})
    path = "/browse" if database is Service.INVENTORY_DB else "/login"
    with pytest.raises(CallFailed):
        await journey(hasty, path, None if path == "/browse" else CREDENTIALS)
    [caller] = [c for c in CALLS[ENTRY] if database in CALLS[c] and c is not Service.ORDER_SERVICE]
    await eventually(lambda: called(hasty, caller, database, Outcome.TIMEOUT) == 1)


def test_passwords_are_checked_against_a_real_hash() -> None:
    row = ROWS[3]
    assert verify(CREDENTIALS["password"], row["password"])
    assert not verify(password(4), row["password"])
    assert len({row["password"] for row in ROWS}) == len(ROWS)
    assert row["password"].startswith(f"pbkdf2_sha256${HASH_ITERATIONS}$")
