"""The control port: what the orchestrator reads and sets."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from services.runtime.app import Runtime
from services.runtime.control import create_control
from services.runtime.draws import Purpose
from services.runtime.impairments import Impairments
from sre_autopilot.world.impairment_digest import NOTHING_IMPAIRED, impairment_digest
from sre_autopilot.world.signals import (
    CLIENT_DURATION,
    CPU_SECONDS,
    IMPAIRMENT_DIGEST,
    LABEL_OUTCOME,
    LABEL_PEER,
    MEMORY_BYTES,
    METRICS_LENGTH,
    SERVER_DURATION,
    ControlRoute,
    Outcome,
)
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import Release
from tests.services.conftest import MakeRuntime
from tests.services.neighbours import Callee

pytestmark = pytest.mark.anyio

PAYMENT = Service.PAYMENT_GATEWAY


@pytest.fixture(params=[f"{Service.ORDER_SERVICE}-0", USERS])
async def runtime(request: pytest.FixtureRequest, make_runtime: MakeRuntime) -> Runtime:
    return make_runtime(request.param)


@pytest.fixture
async def control(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    app = create_control(runtime, asyncio.get_running_loop())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        yield client


async def page(control: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    """Samples by name and label values."""
    text = (await control.get(ControlRoute.METRICS)).text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_health_names_the_replica(control: httpx.AsyncClient, runtime: Runtime) -> None:
    assert (await control.get(ControlRoute.HEALTH)).json() == {
        "status": "healthy",
        "replica": runtime.spec.name,
        "release": Release.CURRENT,
    }


async def test_a_configured_process_takes_its_release_and_seed(
    control: httpx.AsyncClient, runtime: Runtime
) -> None:
    order = {"release": Release.LAST_GOOD, "seed": runtime.spec.seed + 1}
    assert (await control.put(ControlRoute.RELEASE, json=order)).json() == order
    assert (await control.get(ControlRoute.RELEASE)).json() == order
    assert (await control.get(ControlRoute.HEALTH)).json()["release"] == order["release"]


async def test_another_episode_draws_as_a_fresh_process_of_its_seed(
    runtime: Runtime, make_runtime: MakeRuntime
) -> None:
    fresh = make_runtime(runtime.spec.name, seed=8)
    for _ in range(3):
        runtime.draws.happens(Purpose.DROP, 0.5)
    runtime.assign(Release.CURRENT, fresh.spec.seed)
    drawn = [[r.draws.happens(Purpose.DROP, 0.5) for _ in range(50)] for r in (runtime, fresh)]
    assert drawn[0] == drawn[1]


async def test_metrics_show_the_process_and_its_calls(
    control: httpx.AsyncClient, runtime: Runtime
) -> None:
    async with Callee().listening() as callee:
        table = {"endpoints": {PAYMENT: {f"{PAYMENT}-0": callee.address}}}
        assert (await control.put(ControlRoute.ROUTING, json=table)).status_code == 200
        await runtime.downstream.get(PAYMENT, "/")
    samples = await page(control)
    assert samples[(f"{CLIENT_DURATION}_count", *sorted((PAYMENT, Outcome.OK)))] == 1
    assert samples[(CPU_SECONDS,)] > 0.0
    assert samples[(MEMORY_BYTES,)] > 1 << 20


async def test_metrics_carry_no_series_of_the_interpreter(control: httpx.AsyncClient) -> None:
    assert not [name for name, *_ in await page(control) if name.startswith("python_")]
    assert len(await page(control)) < 60


async def test_labels_are_those_of_the_vocabulary(
    control: httpx.AsyncClient, runtime: Runtime
) -> None:
    runtime.metrics.called.labels(PAYMENT, Outcome.REFUSED).observe(0.001)
    text = (await control.get(ControlRoute.METRICS)).text
    assert f'{LABEL_OUTCOME}="{Outcome.REFUSED}",{LABEL_PEER}="{PAYMENT}"' in text


async def test_routing_opens_and_closes_breakers(
    control: httpx.AsyncClient, runtime: Runtime
) -> None:
    for broken in (True, False):
        table = {"endpoints": {}, "open_breakers": [PAYMENT] if broken else []}
        await control.put(ControlRoute.ROUTING, json=table)
        assert runtime.routing.breaker_open(PAYMENT) is broken


async def test_routing_makes_itself_known(control: httpx.AsyncClient, runtime: Runtime) -> None:
    waiting = asyncio.create_task(runtime.routing.wait_for_table())
    await asyncio.sleep(0)
    assert not waiting.done()
    await control.put(ControlRoute.ROUTING, json={"endpoints": {}})
    async with asyncio.timeout(1.0):
        await waiting


async def test_impairments_hold_and_heal(control: httpx.AsyncClient, runtime: Runtime) -> None:
    order = {"step": 3, "ttl_s": 5.0, "drop_ratio": 0.5}
    answer = await control.put(ControlRoute.IMPAIRMENTS, json=order)
    assert answer.json() == order | {
        "memory_leak_mb": 0.0,
        "held_connections": {},
        "partitioned": 0.0,
        "cpu_fraction": 1.0,
        "neighbour_cpu_pct": 0.0,
    }
    assert runtime.link.drop_ratio == 0.5
    await control.put(ControlRoute.IMPAIRMENTS, json={"step": 4, "ttl_s": 5.0})
    assert runtime.link.drop_ratio == 0.0


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        (ControlRoute.IMPAIRMENTS, {"step": 1, "ttl_s": 5.0, "drop_ratio": 2.0}, "drop_ratio"),
        (ControlRoute.IMPAIRMENTS, {"ttl_s": 5.0}, "step"),
        (ControlRoute.IMPAIRMENTS, {"step": 1, "ttl_s": 5.0, "typo": 1}, "typo"),
        (ControlRoute.ROUTING, {"endpoints": {"nobody": {}}}, "endpoints"),
        (ControlRoute.ROUTING, {"endpoints": {PAYMENT: {"a": "ftp://x"}}}, "endpoints"),
        (ControlRoute.ROUTING, {"endpoints": {}, "open_breakers": ["nobody"]}, "open_breakers"),
        (ControlRoute.RELEASE, {"release": "next", "seed": 1}, "release"),
        (ControlRoute.RELEASE, {"release": Release.LAST_GOOD}, "seed"),
        (ControlRoute.RELEASE, {"release": Release.LAST_GOOD, "seed": 0.5}, "seed"),
    ],
)
async def test_bad_orders_change_nothing_and_name_the_field(
    control: httpx.AsyncClient, runtime: Runtime, *, route: str, body: dict[str, Any], field: str
) -> None:
    before = runtime.spec
    answer = await control.put(route, json=body)
    assert answer.status_code == 422
    assert field in [part for error in answer.json()["detail"] for part in error["loc"]]
    assert runtime.link.drop_ratio == 0.0
    assert runtime.spec is before


async def test_a_flush_answers_with_the_spans_since_the_last_one(
    control: httpx.AsyncClient, runtime: Runtime
) -> None:
    runtime.tracing.tracer.start_span("one").end()
    for names in (["one"], []):
        answer = await control.post(ControlRoute.FLUSH)
        export = ExportTraceServiceRequest.FromString(
            answer.content[int(answer.headers[METRICS_LENGTH]) :]
        )
        spans = [s.name for r in export.resource_spans for sc in r.scope_spans for s in sc.spans]
        assert (answer.status_code, spans) == (200, names)


async def test_the_page_says_what_is_impaired_until_it_ends(
    control: httpx.AsyncClient,
) -> None:
    assert (await page(control))[IMPAIRMENT_DIGEST,] == NOTHING_IMPAIRED
    order = {"step": 1, "ttl_s": 0.05, "drop_ratio": 0.5, "memory_leak_mb": 0.1}
    await control.put(ControlRoute.IMPAIRMENTS, json=order)
    digest = impairment_digest(Impairments(**order))
    assert (await page(control))[IMPAIRMENT_DIGEST,] == digest
    async with asyncio.timeout(5.0):
        while (await page(control))[IMPAIRMENT_DIGEST,] != NOTHING_IMPAIRED:
            await asyncio.sleep(0.0)


async def test_a_flush_answers_with_what_a_window_needs_and_no_more(
    control: httpx.AsyncClient, runtime: Runtime
) -> None:
    runtime.metrics.called.labels(PAYMENT, Outcome.OK).observe(0.1)
    runtime.metrics.served.labels("/", 200).observe(0.1)
    text = (await control.post(ControlRoute.FLUSH)).text
    for name in (CLIENT_DURATION, CPU_SECONDS, MEMORY_BYTES, IMPAIRMENT_DIGEST):
        assert f"\n{name}" in text
    assert SERVER_DURATION not in text
