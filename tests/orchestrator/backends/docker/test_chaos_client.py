"""What is asked of the chaos app, and that its absence is waited for, but not for long."""

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest

from orchestrator.backends.docker.chaos_client import ChaosClient
from orchestrator.errors import ReplicaUnreachable
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import Part
from sre_autopilot.world.topology import Service
from tests.orchestrator.backends.docker.fake_stack import CHAOS, RETRY_S

pytestmark = pytest.mark.anyio

DB = ReplicaId(Service.USER_DB, 0)
ASKS: dict[str, Callable[[ChaosClient], Awaitable[None]]] = {
    "impair": lambda chaos: chaos.impair(DB, 0.5, 0.2, 5.0),
    "heal": lambda chaos: chaos.heal(),
}
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
Ask = Callable[[ChaosClient], Awaitable[None]]


class App:
    """Scripted answers in turn, the last one again and again; an error is raised."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        transport = httpx.MockTransport(self._answer)
        self.client = ChaosClient(CHAOS, retry_s=RETRY_S, transport=transport)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)


async def test_impairments_are_put_with_their_time() -> None:
    app = App(200)
    await app.client.impair(DB, 0.5, 0.2, 5.0)
    (request,) = app.requests
    assert (request.method, str(request.url)) == ("PUT", f"{CHAOS}/impairments/{DB}")
    body = {"partitioned": 0.5, "cpu_fraction": 0.2, "ttl_s": 5.0}
    assert json.loads(request.content) == body


async def test_healing_is_of_everything() -> None:
    app = App(204)
    await app.client.heal()
    (request,) = app.requests
    assert (request.method, str(request.url)) == ("DELETE", f"{CHAOS}/impairments")


@every_ask
@pytest.mark.parametrize(
    "answer", [503, 500, httpx.ConnectError("refused"), httpx.ReadTimeout("silent")], ids=str
)
async def test_an_app_that_was_killed_is_asked_again(ask: Ask, answer: int | Exception) -> None:
    app = App(answer, 200)
    await ask(app.client)
    assert len(app.requests) == 2
    assert app.requests[0].url == app.requests[1].url


@every_ask
@pytest.mark.parametrize("answer", [503, httpx.ConnectError(""), httpx.InvalidURL("what")], ids=str)
async def test_an_app_that_stays_away_is_unreachable(ask: Ask, answer: int | Exception) -> None:
    app = App(answer)
    with pytest.raises(ReplicaUnreachable, match=r"/impairments.*: .") as caught:
        await ask(app.client)
    assert caught.value.replica == Part.CHAOS
    assert len(app.requests) > 1


@every_ask
@pytest.mark.parametrize("status", [404, 405, 422])
async def test_a_refused_order_is_not_repeated(ask: Ask, status: int) -> None:
    app = App(status)
    with pytest.raises(ReplicaUnreachable, match=str(status)):
        await ask(app.client)
    assert len(app.requests) == 1
