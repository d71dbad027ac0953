"""The API of chaos: what it takes, what it answers, and how it ends."""

import httpx
import pytest

from chaos.daemon.app import BROKERS_VARIABLE, create_app, main
from chaos.daemon.outages import HealReason
from services.runtime.authorization import bearer
from sre_autopilot.world.signals import OUTAGES, ControlRoute
from sre_autopilot.world.stack import REPLICAS, STALLED_CPU_SHARE
from sre_autopilot.world.topology import Service
from tests.chaos.daemon.api import CUT, NAME, NO_END, OTHER, STALLED, WELL, Api, serving, until
from tests.chaos.fake_broker import FakeBroker

pytestmark = pytest.mark.anyio


async def test_an_ordered_outage_is_applied_and_answered(api: Api, broker: FakeBroker) -> None:
    answer = await api.impair(NAME, CUT | NO_END)
    assert (answer.status_code, answer.json()) == (200, CUT)
    assert not broker.states[NAME].on_mesh
    await api.impair(OTHER, STALLED | NO_END)
    assert broker.states[OTHER].cpu_share == STALLED_CPU_SHARE
    assert await api.holding() == {NAME: CUT, OTHER: STALLED}


async def test_a_healthy_state_heals(api: Api, broker: FakeBroker) -> None:
    await api.impair(NAME, CUT | NO_END)
    answer = await api.impair(NAME, WELL | NO_END)
    assert (answer.status_code, answer.json()) == (200, WELL)
    assert broker.states[NAME].on_mesh
    assert await api.holding() == {}


async def test_delete_heals_everything(api: Api, broker: FakeBroker) -> None:
    await api.impair(NAME, CUT | NO_END)
    await api.impair(OTHER, STALLED | NO_END)
    answer = await api.http.delete(ControlRoute.IMPAIRMENTS)
    assert (answer.status_code, answer.json()) == (200, {})
    assert broker.states[NAME].on_mesh
    assert broker.states[OTHER].cpu_share == 1.0


async def test_metrics_count_outages_and_the_reasons_of_healing(api: Api) -> None:
    await api.impair(NAME, CUT | NO_END)
    reasons = dict.fromkeys(map(str, HealReason), 0.0)
    assert await api.counted() == {OUTAGES: 1.0, **reasons}
    await api.impair(NAME, WELL | NO_END)
    assert await api.counted() == {OUTAGES: 0.0, **reasons, HealReason.ASKED: 1.0}


async def test_an_outage_ends_after_its_time(api: Api, broker: FakeBroker) -> None:
    await api.impair(NAME, CUT | {"ttl_s": 0.05})
    await until(api.none_impaired)
    assert broker.states[NAME].on_mesh
    assert (await api.counted())[HealReason.EXPIRED] == 1.0


@pytest.mark.parametrize("name", ["nobody", f"{Service.USER_DB}", f"{Service.USER_DB}-2", "broker"])
async def test_an_unknown_replica_is_answered_with_the_valid_ones(
    api: Api, broker: FakeBroker, name: str
) -> None:
    asked = broker.asked
    answer = await api.impair(name, CUT | NO_END)
    assert answer.status_code == 404
    assert all(str(replica) in answer.json()["detail"] for replica in REPLICAS)
    assert broker.asked == asked


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("partitioned", -0.1),
        ("partitioned", 1.1),
        ("partitioned", "0.5"),
        ("partitioned", True),
        ("partitioned", None),
        ("cpu_fraction", 0.0),
        ("cpu_fraction", 1.5),
        ("ttl_s", 0.0),
        ("ttl_s", -1.0),
        ("share", 0.5),
    ],
)
async def test_a_bad_value_is_refused_by_its_name(
    api: Api, broker: FakeBroker, field: str, value: object
) -> None:
    asked = broker.asked
    answer = await api.impair(NAME, CUT | NO_END | {field: value})
    assert answer.status_code == 422
    assert f"body.{field}" in answer.json()["detail"]
    assert broker.asked == asked


@pytest.mark.parametrize("missing", [*CUT, *NO_END])
async def test_a_missing_value_is_refused_by_its_name(api: Api, missing: str) -> None:
    body = {field: value for field, value in (CUT | NO_END).items() if field != missing}
    answer = await api.impair(NAME, body)
    assert answer.status_code == 422
    assert f"body.{missing}" in answer.json()["detail"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        '{"partitioned": NaN, "cpu_fraction": 1, "ttl_s": 5}',
        '{"partitioned": 1, "cpu_fraction": NaN, "ttl_s": 5}',
        '{"partitioned": 1, "cpu_fraction": 1, "ttl_s": Infinity}',
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(api: Api, text: str) -> None:
    json_type = {"Content-Type": "application/json"}
    path = f"{ControlRoute.IMPAIRMENTS}/{NAME}"
    answer = await api.http.put(path, content=text, headers=json_type)
    assert answer.status_code == 422
    assert "body" in answer.json()["detail"]


async def test_impair_without_a_broker_is_503_and_desires_nothing(
    api: Api, broker: FakeBroker
) -> None:
    broker.down = True
    answer = await api.impair(NAME, CUT | NO_END)
    assert answer.status_code == 503
    assert "nobody is there" in answer.json()["detail"]
    assert await api.holding() == {}
    broker.down = False


async def test_the_daemon_starts_without_a_broker_and_is_healthy_once_all_is_healed(
    broker: FakeBroker,
) -> None:
    broker.left(NAME, on_mesh=False)
    broker.down = True
    async with serving(broker) as api:
        answer = await api.http.get(ControlRoute.HEALTH)
        assert answer.status_code == 503
        assert "earlier daemon" in answer.json()["detail"]
        broker.down = False
        await until(api.healthy)
        assert broker.states[NAME].on_mesh
        assert (await api.counted())[HealReason.LEFT_OVER] == 1.0


async def test_outages_are_healed_at_shutdown(broker: FakeBroker) -> None:
    async with serving(broker) as api:
        await until(api.healthy)
        await api.impair(NAME, CUT | NO_END)
        await api.impair(OTHER, STALLED | NO_END)
    assert broker.states[NAME].on_mesh
    assert broker.states[OTHER].cpu_share == 1.0


@pytest.mark.parametrize("urls", [None, "", " , "])
def test_a_daemon_without_urls_does_not_start(
    urls: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(BROKERS_VARIABLE, raising=False)
    if urls is not None:
        monkeypatch.setenv(BROKERS_VARIABLE, urls)
    with pytest.raises(SystemExit):
        main([])
    assert BROKERS_VARIABLE in capsys.readouterr().err


async def test_without_the_token_nobody_orders_and_all_may_ask_for_health() -> None:
    app = create_app(FakeBroker().client, "token")
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://chaos.example") as http,
    ):
        for method, path in (("PUT", f"/{NAME}"), ("GET", ""), ("DELETE", "")):
            answer = await http.request(method, ControlRoute.IMPAIRMENTS + path, json=CUT | NO_END)
            assert answer.status_code == 401
        assert (await http.get(ControlRoute.METRICS)).status_code == 401
        assert (await http.get(ControlRoute.HEALTH)).status_code in {200, 503}
        holding = await http.get(ControlRoute.IMPAIRMENTS, headers=bearer("token"))
        assert holding.json() == {}
