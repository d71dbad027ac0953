"""What goes over the wire to the broker, and that nothing but one error comes back."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import httpx
import pytest

from chaos.broker_client import BrokerClient, BrokerUnavailable, ContainerListed, ContainerState
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import STALLED_CPU_SHARE, BrokerVerb
from sre_autopilot.world.topology import USERS, Service

pytestmark = pytest.mark.anyio

FIRST, SECOND = "http://first.example:8200", "http://second.example:8200"
NAME = str(ReplicaId(Service.USER_DB, 0))
STATE = ContainerState(NAME, False, 137, True, "then", False, None, None, 0.5)
LISTING = {
    "containers": {
        NAME: {"running": True, "image": "one"},
        USERS: {"running": False, "image": "one"},
    }
}

Ask = Callable[[BrokerClient], Awaitable[object]]
ORDERS: dict[BrokerVerb, tuple[Ask, object]] = {
    BrokerVerb.START: (lambda broker: broker.start(NAME), {}),
    BrokerVerb.RESTART: (lambda broker: broker.restart(NAME), {}),
    BrokerVerb.STOP: (lambda broker: broker.stop(NAME, 2.5), {"grace_s": 2.5}),
    BrokerVerb.CONNECT: (lambda broker: broker.connect(NAME), {}),
    BrokerVerb.DISCONNECT: (lambda broker: broker.disconnect(NAME), {}),
    BrokerVerb.LIMIT: (
        lambda broker: broker.limit(NAME, STALLED_CPU_SHARE),
        {"cpu_share": STALLED_CPU_SHARE},
    ),
    BrokerVerb.REPAIR: (lambda broker: broker.repair(NAME), {}),
}
ASKS: dict[str, Ask] = {
    "containers": lambda broker: broker.containers(),
    "state": lambda broker: broker.state(NAME),
    **{verb: ask for verb, (ask, _) in ORDERS.items()},
}
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


class Brokers:
    """Answers in turn; `silent` hosts give none. Requests are remembered."""

    def __init__(self, status: int = 200, body: object = None, *silent: str) -> None:
        self.status = status
        self.body = asdict(STATE) if body is None else body
        self.silent = set(silent)
        self.error: Exception = httpx.ConnectError("refused")
        self.requests: list[httpx.Request] = []
        self.broker = BrokerClient([FIRST, SECOND], transport=httpx.MockTransport(self._answer))

    @property
    def hosts(self) -> list[str]:
        return [f"http://{request.url.host}:{request.url.port}" for request in self.requests]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.hosts[-1] in self.silent:
            raise self.error
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return httpx.Response(self.status, text=body)


async def test_containers_says_which_run() -> None:
    brokers = Brokers(200, LISTING)
    listed = await brokers.broker.containers()
    assert listed == {NAME: ContainerListed(True, "one"), USERS: ContainerListed(False, "one")}
    (request,) = brokers.requests
    assert (request.method, str(request.url)) == ("GET", f"{FIRST}/containers")


async def test_state_is_what_the_broker_says() -> None:
    brokers = Brokers()
    assert await brokers.broker.state(NAME) == STATE
    (request,) = brokers.requests
    assert (request.method, str(request.url)) == ("GET", f"{FIRST}/containers/{NAME}")


@pytest.mark.parametrize("verb", BrokerVerb)
async def test_every_verb_is_an_order_that_answers_the_state(verb: BrokerVerb) -> None:
    ask, body = ORDERS[verb]
    brokers = Brokers()
    assert await ask(brokers.broker) == STATE
    (request,) = brokers.requests
    assert (request.method, str(request.url)) == ("POST", f"{FIRST}/containers/{NAME}/{verb}")
    assert json.loads(request.content) == body


async def test_a_broker_that_takes_calls_and_is_silent_delays_no_question_for_long() -> None:
    brokers = Brokers()
    await brokers.broker.state(NAME)
    await brokers.broker.restart(NAME)
    asked, ordered = (request.extensions["timeout"]["read"] for request in brokers.requests)
    assert asked <= 3.0 < ordered


async def test_a_stop_may_take_its_grace_and_a_dead_address_little_time() -> None:
    brokers = Brokers()
    await brokers.broker.stop(NAME, 7.0)
    timeout = brokers.requests[0].extensions["timeout"]
    await brokers.broker.connect(NAME)
    assert timeout["read"] == brokers.requests[1].extensions["timeout"]["read"] + 7.0
    assert timeout["connect"] <= 1.0


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError(""),
        httpx.ReadTimeout("silent"),
        httpx.RemoteProtocolError("hung up"),
        OSError("no more files"),
    ],
    ids=lambda error: type(error).__name__,
)
@every_ask
async def test_where_one_broker_is_silent_the_next_is_asked(ask: Ask, error: Exception) -> None:
    brokers = Brokers(200, {**asdict(STATE), **LISTING}, FIRST)
    brokers.error = error
    await ask(brokers.broker)
    assert brokers.hosts == [FIRST, SECOND]


async def test_the_broker_that_answered_is_asked_first() -> None:
    brokers = Brokers(200, None, FIRST)
    await brokers.broker.state(NAME)
    await brokers.broker.state(NAME)
    assert brokers.hosts == [FIRST, SECOND, SECOND]
    brokers.silent = {SECOND}
    await brokers.broker.state(NAME)
    assert brokers.hosts[3:] == [SECOND, FIRST]


@every_ask
async def test_where_all_are_silent_the_error_names_each(ask: Ask) -> None:
    brokers = Brokers(200, None, FIRST, SECOND)
    brokers.error = httpx.ReadError("")
    with pytest.raises(BrokerUnavailable, match="containers") as caught:
        await ask(brokers.broker)
    assert caught.value.reason == f"{FIRST}: ReadError; {SECOND}: ReadError"


@every_ask
@pytest.mark.parametrize("status", [301, 404, 405, 422, 502, 503])
async def test_a_refusal_is_raised_and_not_repeated(ask: Ask, status: int) -> None:
    brokers = Brokers(status, {"detail": "it is gone"})
    with pytest.raises(BrokerUnavailable, match="it is gone") as caught:
        await ask(brokers.broker)
    assert str(status) in caught.value.reason
    assert len(brokers.requests) == 1


@every_ask
@pytest.mark.parametrize("body", ["", "[]", "not json", {"name": NAME}, {"containers": [1]}])
async def test_an_answer_that_means_nothing_is_no_answer(ask: Ask, body: object) -> None:
    with pytest.raises(BrokerUnavailable, match="containers"):
        await ask(Brokers(200, body).broker)


async def test_a_closed_port_and_an_empty_list_of_urls_are_unavailable() -> None:
    for urls in ([], ["http://127.0.0.1:1"], ["nonsense"]):
        broker = BrokerClient(urls)
        with pytest.raises(BrokerUnavailable) as caught:
            await broker.state(NAME)
        assert NAME in caught.value.what
        assert caught.value.reason
        await broker.aclose()
