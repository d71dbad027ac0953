"""What goes over the wire to a control port, and that nothing but one error comes back."""

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from chaos.fault import Impairments
from orchestrator.backends.live.control_client import CallerRouting, ControlClient, Target
from orchestrator.errors import ReplicaUnreachable
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import (
    CPU_SECONDS,
    MEMORY_BYTES,
    METRICS_LENGTH,
    ControlRoute,
)
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, Release
from tests.services.neighbours import Callee

pytestmark = pytest.mark.anyio

NAME = str(ReplicaId(Service.USER_DB, 0))
TARGET = Target(NAME, "http://127.0.0.1:1", "http://127.0.0.1:2")
NEIGHBOURS = CallerRouting({Service.USER_DB: {NAME: "http://127.0.0.1:3"}}, (Service.USER_DB,))
PAGE = f"{CPU_SECONDS} 1.5\n{MEMORY_BYTES} 2e7\n"

ASSIGNED = b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"seed": 1}'

Ask = Callable[[ControlClient], Awaitable[object]]
ASKS: dict[str, Ask] = {
    "scrape": lambda control: control.scrape(TARGET),
    "route": lambda control: control.route(TARGET, NEIGHBOURS),
    "impair": lambda control: control.impair(TARGET, Impairments(), 1, IMPAIRMENT_TTL_S),
    "become": lambda control: control.assign(TARGET, Release.LAST_GOOD, 7),
    "seed": lambda control: control.seed(TARGET),
    "flush": lambda control: control.flush(TARGET),
}
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


class Port:
    """A control port with a scripted answer; it remembers the last request."""

    def __init__(
        self, status: int = 200, body: str | bytes | None = None, metrics_length: object = None
    ) -> None:
        self.status, self.body = status, body
        self.headers = {} if metrics_length is None else {METRICS_LENGTH: str(metrics_length)}
        self.request: httpx.Request | None = None
        self.control = ControlClient(transport=httpx.MockTransport(self._answer))

    @property
    def asked(self) -> tuple[str, str]:
        assert self.request is not None
        return self.request.method, str(self.request.url)

    @property
    def sent(self) -> object:
        assert self.request is not None
        return json.loads(self.request.content)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.request = request
        body = request.content if self.body is None else self.body
        return httpx.Response(self.status, content=body, headers=self.headers)


def url(route: ControlRoute) -> str:
    return TARGET.control_url + route


async def test_scrape_reads_the_page() -> None:
    port = Port(body=PAGE)
    sample = await port.control.scrape(TARGET)
    assert (sample.cpu_seconds, sample.memory_bytes) == (1.5, 2e7)
    assert port.asked == ("GET", url(ControlRoute.METRICS))


async def test_flush_reads_the_page_and_the_spans_behind_it() -> None:
    export = ExportTraceServiceRequest()
    export.resource_spans.add().scope_spans.add().spans.add().name = "one"
    port = Port(body=PAGE.encode() + export.SerializeToString(), metrics_length=len(PAGE))
    flushed = await port.control.flush(TARGET)
    assert (flushed.sample.cpu_seconds, flushed.sample.memory_bytes) == (1.5, 2e7)
    assert flushed.spans == export
    assert port.asked == ("POST", url(ControlRoute.FLUSH))


async def test_route_sends_addresses_and_breakers() -> None:
    port = Port()
    await port.control.route(TARGET, NEIGHBOURS)
    assert port.asked == ("PUT", url(ControlRoute.ROUTING))
    endpoints = {Service.USER_DB: {NAME: "http://127.0.0.1:3"}}
    assert port.sent == {"endpoints": endpoints, "open_breakers": [Service.USER_DB]}


async def test_become_sends_release_and_seed() -> None:
    port = Port()
    await port.control.assign(TARGET, Release.LAST_GOOD, 7)
    assert port.asked == ("PUT", url(ControlRoute.RELEASE))
    assert port.sent == {"release": Release.LAST_GOOD, "seed": 7}


@pytest.mark.parametrize("seed", [7, UNUSED_SEED])
async def test_seed_is_read_from_the_release(seed: int) -> None:
    port = Port(body=json.dumps({"release": Release.CURRENT, "seed": seed}))
    assert await port.control.seed(TARGET) == seed
    assert port.asked == ("GET", url(ControlRoute.RELEASE))


@pytest.mark.parametrize("body", ["", "not json", "[]", "{}", '{"seed": null}', '{"seed": "x"}'])
async def test_a_release_without_a_seed_is_unreachable(body: str) -> None:
    with pytest.raises(ReplicaUnreachable, match=NAME):
        await Port(body=body).control.seed(TARGET)


shares = st.floats(0.0, 1.0)


@given(
    impairments=st.builds(
        Impairments,
        memory_leak_mb=st.floats(0.0, 200.0),
        held_connections=st.dictionaries(st.sampled_from([NAME]), st.integers(0, 10)),
        partitioned=shares,
        drop_ratio=shares,
        cpu_fraction=st.floats(0.01, 1.0),
        neighbour_cpu_pct=st.floats(0.0, 100.0),
    )
)
async def test_impairments_come_back_as_they_went(impairments: Impairments) -> None:
    port = Port()  # echoes
    assert await port.control.impair(TARGET, impairments, 3, 5.0) == impairments
    assert port.asked == ("PUT", url(ControlRoute.IMPAIRMENTS))
    sent = port.sent
    assert isinstance(sent, dict)
    assert (sent["step"], sent["ttl_s"]) == (3, 5.0)


@every_ask
@pytest.mark.parametrize("status", [301, 404, 422, 500, 503])
async def test_a_bad_status_is_unreachable(ask: Ask, status: int) -> None:
    with pytest.raises(ReplicaUnreachable, match=str(status)) as caught:
        await ask(Port(status, "{}").control)
    assert caught.value.replica == NAME


@pytest.mark.parametrize("body", ["", "[]", "not json", '{"partitioned": 2.0}', '{"step": "x"}}'])
async def test_an_answer_that_means_nothing_is_unreachable(body: str) -> None:
    with pytest.raises(ReplicaUnreachable, match=NAME):
        await Port(body=body).control.impair(TARGET, Impairments(), 1, 5.0)


@pytest.mark.parametrize("page", ["", "not metrics", f"{CPU_SECONDS} much\n"])
async def test_a_page_that_means_nothing_is_unreachable(page: str) -> None:
    with pytest.raises(ReplicaUnreachable, match=NAME):
        await Port(body=page).control.scrape(TARGET)
    with pytest.raises(ReplicaUnreachable, match=NAME):
        await Port(body=page, metrics_length=len(page)).control.flush(TARGET)


@pytest.mark.parametrize(
    ("body", "length"),
    [(PAGE, None), (PAGE, "much"), (PAGE, 5), (PAGE.encode() + b"\xff\xff", len(PAGE))],
)
async def test_a_flush_that_means_nothing_is_unreachable(body: str | bytes, length: object) -> None:
    with pytest.raises(ReplicaUnreachable, match=f"{NAME}.*not a flush"):
        await Port(body=body, metrics_length=length).control.flush(TARGET)


@every_ask
@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError(""),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("hung up"),
        httpx.PoolTimeout("full"),
        httpx.UnsupportedProtocol("what"),
        httpx.InvalidURL("where"),
        OSError("no more files"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_every_error_of_the_network_is_unreachable(ask: Ask, error: Exception) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(ReplicaUnreachable, match=NAME) as caught:
        await ask(ControlClient(transport=httpx.MockTransport(fail)))
    assert caught.value.__cause__ is error
    assert not caught.value.reason.endswith(": ")


async def test_connections_are_kept_until_the_process_is_over() -> None:
    control = ControlClient()
    async with Callee(ASSIGNED).listening() as port:
        target = Target(NAME, "", port.address)
        await control.seed(target)
        await control.seed(target)
        assert (len(port.requests), len(port._writers)) == (2, 1)
        await control.drop_connections(NAME)
        await control.seed(target)
        assert len(port._writers) == 2
        await control.aclose()


async def test_a_process_that_came_back_elsewhere_is_called_there() -> None:
    control = ControlClient()
    async with Callee(ASSIGNED).listening() as before, Callee(ASSIGNED).listening() as after:
        await control.seed(Target(NAME, "", before.address))
        await control.seed(Target(NAME, "", after.address))
        assert (len(before.requests), len(after.requests)) == (1, 1)
        await control.aclose()


async def test_forgetting_one_leaves_the_others_connected() -> None:
    control = ControlClient()
    async with Callee(ASSIGNED).listening() as port:
        for _ in range(2):
            await control.seed(Target(NAME, "", port.address))
            await control.drop_connections("another")
        assert len(port._writers) == 1
        await control.aclose()


async def test_a_closed_port_is_unreachable() -> None:
    control = ControlClient()
    with pytest.raises(ReplicaUnreachable, match=NAME):
        await control.seed(TARGET)
    await control.aclose()
