"""The picture of what Prometheus recorded has every service, alert and action."""

import json

import httpx
import numpy as np
import pytest
from matplotlib.axes import Axes

from deploy import recording_rules as rules
from sre_autopilot.cli.dev import plot_prometheus
from sre_autopilot.evaluation.plots import prometheus as picture
from sre_autopilot.evaluation.prometheus_client import Prometheus, QueryFailed, Span
from sre_autopilot.world import signals
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.paging import Alert
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

PNG = b"\x89PNG"
START_S, END_S = 1000.0, 1005.0
DB = Service.USER_DB


def series(values: list[float | None], **labels: str) -> dict[str, object]:
    """A value each second from START_S; None is a gap."""
    points = [(START_S + s, str(v)) for s, v in enumerate(values) if v is not None]
    return {"metric": labels, "values": points}


RECORDED = {
    rules.P99_MS: [series([10, 20, None, None, 50, 60], service=service) for service in Service],
    picture.OUT_OF_SLA: [series([None, 0, 0, None, None, None], service=DB)],
    picture.FIRING: [
        series(
            [None, None, 1, 1, None, None],
            alertname=Alert.POOL_EXHAUSTED,
            service=DB,
            instance=str(ReplicaId(DB, 0)),
            severity="page",
        )
    ],
    picture.CURRENT_STEP: [series([1, 1, 2, 3, 3, 4])],
    picture.ACCEPTED_ACTIONS: [
        series([0, 0, 0, 1, 1, 1], action=ActionName.RESTART, service=DB),
        series([2, 2, 2, 2, 2, 2], action=ActionName.ROLLBACK, service=DB),
    ],
}


def answer(request: httpx.Request) -> httpx.Response:
    query = request.url.params["query"]
    if request.url.path.endswith("/query"):
        series: list[dict[str, object]] = [{"metric": {}, "value": [END_S, str(END_S)]}]
    else:
        series = RECORDED.get(query, [])
    return httpx.Response(200, text=json.dumps({"data": {"result": series}}))


@pytest.fixture
def panels() -> list[Axes]:
    prometheus = Prometheus("http://prometheus", httpx.MockTransport(answer))
    return picture.draw(prometheus, Span(START_S, END_S)).axes


def line(panel: Axes, label: str) -> tuple[list[float], list[float]]:
    (curve,) = (li for li in panel.get_lines() if li.get_label() == label)
    return np.asarray(curve.get_xdata()).tolist(), np.asarray(curve.get_ydata()).tolist()


def rows(panel: Axes) -> list[str]:
    return [label.get_text() for label in panel.get_yticklabels()]


def test_every_service_has_a_line_that_bridges_no_gap(panels) -> None:
    for service in Service:
        seconds, values = line(panels[0], service)
        assert seconds == [0, 1, 1, 4, 5]
        assert values == pytest.approx([10, 20, float("nan"), 50, 60], nan_ok=True)


def test_a_service_has_one_colour_in_every_panel(panels, monkeypatch) -> None:
    alone = [series([1, 2, 3, 4, 5, 6], service=Service.PAYMENT_GATEWAY)]
    monkeypatch.setitem(RECORDED, rules.CPU_PCT, alone)
    prometheus = Prometheus("http://prometheus", httpx.MockTransport(answer))
    latency, _, cpu, *_ = picture.draw(prometheus, Span(START_S, END_S)).axes
    (here,) = cpu.get_lines()[:1]
    there = latency.get_lines()[sorted(Service).index(Service.PAYMENT_GATEWAY)]
    assert here.get_label() == there.get_label() == Service.PAYMENT_GATEWAY
    assert here.get_color() == there.get_color()


def test_broken_slas_and_alerts_have_rows(panels) -> None:
    *_, broken, alerts, _ = panels
    assert rows(broken) == [DB]
    assert rows(alerts) == [f"{Alert.POOL_EXHAUSTED} {ReplicaId(DB, 0)} page"]
    spans = [path.vertices[:, 0] for path in alerts.collections[0].get_paths()]
    assert [(span.min(), span.max()) for span in spans] == [(2, 3), (3, 4)]


def test_steps_and_actions_are_drawn_at_their_time(panels) -> None:
    assert np.asarray(panels[-1].get_lines()[0].get_ydata()).tolist() == [1, 1, 2, 3, 3, 4]
    (note,) = panels[0].texts
    assert note.get_text() == f"{ActionName.RESTART} {DB}"
    for panel in panels:
        dashed = [li for li in panel.get_lines() if li.get_linestyle() == "--"]
        assert [np.asarray(li.get_xdata()).tolist() for li in dashed] == [[3, 3]]


def test_waiting_and_refused_actions_are_not_asked_for() -> None:
    assert f"{signals.LABEL_ACCEPTED}='true'" in picture.ACCEPTED_ACTIONS
    assert f"{signals.LABEL_ACTION}!='{ActionName.WAIT}'" in picture.ACCEPTED_ACTIONS


def test_command_writes_a_png_of_the_last_minutes(tmp_path, monkeypatch, capsys) -> None:
    asked: list[httpx.Request] = []

    def remembered(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request)

    monkeypatch.setattr(
        plot_prometheus, "Prometheus", lambda url: Prometheus(url, httpx.MockTransport(remembered))
    )
    out = tmp_path / "seen.png"
    plot_prometheus.command("http://prometheus", 0.5, out)
    assert out.read_bytes().startswith(PNG)
    assert {request.url.params.get("start") for request in asked[1:]} == {str(END_S - 30.0)}
    assert "0.5 minutes" in capsys.readouterr().err


def test_silent_prometheus_is_an_error(tmp_path) -> None:
    with pytest.raises(QueryFailed):
        plot_prometheus.command("http://127.0.0.1:1", 2.0, tmp_path / "seen.png")
