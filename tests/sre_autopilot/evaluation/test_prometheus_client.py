"""The client of Prometheus' API: what it asks, what it makes of answers, and one error."""

import math

import httpx
import pytest

from sre_autopilot.evaluation.prometheus_client import Prometheus, QueryFailed, Span

EXPR = "sum by (service) (up)"
LABELS = {"service": "a"}


def answering(body: object, status: int = 200, asked: list[httpx.Request] | None = None):
    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return httpx.Response(status, json=body)

    return Prometheus("http://prometheus:9090", httpx.MockTransport(answer))


def result(*series: object) -> dict[str, object]:
    return {"status": "success", "data": {"resultType": "any", "result": list(series)}}


def test_an_instant_query_gives_samples() -> None:
    asked: list[httpx.Request] = []
    body = result({"metric": LABELS, "value": [7.5, "1.25"]}, {"metric": {}, "value": [7.5, "NaN"]})
    with answering(body, asked=asked) as prometheus:
        one, other = prometheus.instant(EXPR)
    assert (one.metric, one.value) == (LABELS, (7.5, 1.25))
    assert math.isnan(other.value[1])
    assert asked[0].url.path == "/api/v1/query"
    assert dict(asked[0].url.params) == {"query": EXPR}


def test_a_range_query_gives_series() -> None:
    asked: list[httpx.Request] = []
    body = result({"metric": LABELS, "values": [[1, "0"], [2, "+Inf"]]})
    with answering(body, asked=asked) as prometheus:
        (series,) = prometheus.range(EXPR, Span(1.0, 2.0, 0.5))
    assert series.values == ((1.0, 0.0), (2.0, math.inf))
    assert asked[0].url.path == "/api/v1/query_range"
    times = {"start": "1.0", "end": "2.0", "step": "0.5"}
    assert dict(asked[0].url.params) == {"query": EXPR, **times}


def test_empty_answer_has_no_series() -> None:
    assert answering(result()).instant(EXPR) == ()
    assert answering(result()).range(EXPR, Span(0.0, 1.0)) == ()


def test_prometheus_says_what_is_wrong_with_a_query() -> None:
    body = {"status": "error", "errorType": "bad_data", "error": "unclosed left parenthesis"}
    with pytest.raises(QueryFailed, match=r"sum by.*unclosed left parenthesis") as caught:
        answering(body, 400).instant(EXPR)
    assert caught.value.expr == EXPR


@pytest.mark.parametrize(
    ("body", "status"), [({}, 502), ([], 200), ({"data": {"result": [{}]}}, 200), ("up", 500)]
)
def test_answer_of_another_program_is_an_error(body: object, status: int) -> None:
    with pytest.raises(QueryFailed, match="not that of a Prometheus"):
        answering(body, status).range(EXPR, Span(0.0, 1.0))


def test_answer_that_is_no_json_is_an_error() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with pytest.raises(QueryFailed, match="not that of a Prometheus"):
        Prometheus("http://prometheus:9090", transport).instant(EXPR)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "prometheus:9090", "http://[nowhere"])
def test_silent_url_is_an_error(url: str) -> None:
    with pytest.raises(QueryFailed, match="did not answer sum by"), Prometheus(url) as prometheus:
        prometheus.instant(EXPR)
