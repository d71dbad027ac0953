"""Spans go in as OTLP and come out as the calls of one window."""

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from orchestrator.telemetry.spans import SpanStore
from sre_autopilot.world.signals import SPAN_OUTCOME, SPAN_PEER, Outcome
from sre_autopilot.world.topology import USERS, Service

SECOND_NS = 1_000_000_000
NOW_NS = 1_000 * SECOND_NS
CLIENT, SERVER = Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_SERVER


def attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def export(service: str, *spans: Span) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(attribute("service.name", service))
    resource.scope_spans.add().spans.extend(spans)
    return request


def call(
    span_id: int,
    callee: str,
    start_ns: int = NOW_NS,
    *,
    outcome: Outcome | None = Outcome.OK,
    latency_ms: int = 20,
) -> Span:
    attributes = [attribute(SPAN_PEER, callee)]
    if outcome is not None:
        attributes.append(attribute(SPAN_OUTCOME, outcome))
    return Span(
        kind=CLIENT,
        trace_id=b"\xab" * 16,
        span_id=span_id.to_bytes(8, "big"),
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + latency_ms * 1_000_000,
        attributes=attributes,
    )


def served(parent: int, end_ns: int = NOW_NS) -> Span:
    parent_id = parent.to_bytes(8, "big")
    return Span(kind=SERVER, parent_span_id=parent_id, end_time_unix_nano=end_ns)


@pytest.fixture
def store() -> SpanStore:
    return SpanStore()


class TestEdgeCalls:
    def test_tell_who_called_whom_for_how_long(self, store: SpanStore) -> None:
        store.add(export(USERS, call(1, Service.API_GATEWAY, latency_ms=35)))
        (edge,) = store.edge_calls(NOW_NS, NOW_NS + SECOND_NS)
        assert (edge.caller, edge.callee) == (USERS, Service.API_GATEWAY)
        assert edge.latency_ms == pytest.approx(35.0)
        assert edge.trace_id == "ab" * 16
        assert edge.started_at == NOW_NS / SECOND_NS
        assert not edge.failed

    @pytest.mark.parametrize("outcome", Outcome)
    def test_failed_is_what_the_caller_says(self, store: SpanStore, outcome: Outcome) -> None:
        store.add(export(Service.AUTH_SERVICE, call(1, Service.USER_DB, outcome=outcome)))
        (edge,) = store.edge_calls(NOW_NS, NOW_NS + SECOND_NS)
        assert edge.failed == (outcome is not Outcome.OK)

    def test_a_span_without_an_outcome_fails_by_its_status(self, store: SpanStore) -> None:
        fine, broken = (call(i, Service.USER_DB, NOW_NS + i, outcome=None) for i in (1, 2))
        broken.status.code = Status.STATUS_CODE_ERROR
        store.add(export(Service.AUTH_SERVICE, fine, broken))
        assert [e.failed for e in store.edge_calls(NOW_NS, 2 * NOW_NS)] == [False, True]

    def test_only_the_callees_own_child_counts_as_served(self, store: SpanStore) -> None:
        store.add(export(Service.ORDER_SERVICE, *(call(i, Service.USER_DB) for i in (1, 2, 3))))
        store.add(export(Service.USER_DB, served(parent=1)))
        store.add(export(Service.INVENTORY_DB, served(parent=2)))
        edges = store.edge_calls(NOW_NS, NOW_NS + SECOND_NS)
        assert [edge.served_span for edge in edges] == [True, False, False]

    def test_belong_to_the_window_that_they_end_in(self, store: SpanStore) -> None:
        starts_ns = (NOW_NS - SECOND_NS, NOW_NS - 20_000_000, NOW_NS, NOW_NS + SECOND_NS)
        spans = (call(i, Service.USER_DB, start_ns) for i, start_ns in enumerate(starts_ns))
        store.add(export(Service.AUTH_SERVICE, *spans))
        # The second one ends at the very start of the window, the last one 20 ms behind its end.
        assert len(store.edge_calls(NOW_NS, NOW_NS + SECOND_NS)) == 2

    def test_are_ordered_by_their_start_however_they_come(self, store: SpanStore) -> None:
        late = call(1, Service.USER_DB, NOW_NS + 2, latency_ms=1)
        early = call(2, Service.USER_DB, NOW_NS, latency_ms=500)
        store.add(export(Service.AUTH_SERVICE, late))
        store.add(export(Service.AUTH_SERVICE, early))
        latencies_ms = [e.latency_ms for e in store.edge_calls(NOW_NS, NOW_NS + SECOND_NS)]
        assert latencies_ms == [500.0, 1.0]

    def test_other_spans_are_no_calls(self, store: SpanStore) -> None:
        internal = Span(kind=Span.SPAN_KIND_INTERNAL, end_time_unix_nano=NOW_NS)
        nameless = Span(kind=CLIENT, end_time_unix_nano=NOW_NS)
        store.add(export(USERS, internal, nameless))
        assert store.edge_calls(0, 2 * NOW_NS) == ()


class TestMemory:
    def test_forgets_what_is_older_than_it_keeps(self) -> None:
        store = SpanStore(retention_s=10.0)
        for second in range(100):
            at_ns = NOW_NS + second * SECOND_NS
            store.add(export(USERS, call(second, Service.API_GATEWAY, at_ns)))
            store.add(export(Service.API_GATEWAY, served(second, at_ns)))
        assert len(store) <= 2 * 11
        assert len(store.edge_calls(0, 2 * NOW_NS)) >= 10

    def test_is_bounded_whatever_the_clock_says(self) -> None:
        store = SpanStore(max_spans=50)
        for _ in range(5):
            store.add(export(USERS, *(call(i, Service.API_GATEWAY) for i in range(40))))
            store.add(export(Service.API_GATEWAY, *(served(i) for i in range(40))))
        assert len(store) == 100
