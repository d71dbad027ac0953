"""The whole backend in a stack: windows, who else plays there, and what is left behind."""

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from chaos.broker_client import BrokerClient
from chaos.fault import Impairments
from orchestrator import backends
from orchestrator.backends.docker.backend import SETTLE_S, DockerBackend
from orchestrator.backends.docker.chaos_client import ChaosClient
from orchestrator.backends.live.control_client import ControlClient
from orchestrator.errors import BackendError, ReplicaUnreachable, StackUnavailable
from orchestrator.reconcile import routing_of
from orchestrator.settings import Settings
from services.runtime.spec import UNUSED_SEED
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.stack import STEP_SECONDS, Part
from sre_autopilot.world.topology import USER_TIMEOUT_S, USERS, Service
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, OOM_EXIT_CODE
from tests.orchestrator.backends.conftest import until_async
from tests.orchestrator.backends.docker.fake_stack import BROKERS, CHAOS, RETRY_S, FakeStack

pytestmark = pytest.mark.anyio

DB = ReplicaId(Service.USER_DB, 0)
SEED, KILLED = 7, 137
WINDOW_S = 0.2
ROUTING = routing_of(initial_deployment(), 0, frozenset())
TOKEN = secrets.token_urlsafe()  # other tests on this machine have their own
Make = Callable[..., DockerBackend]


def settings(**changes: object) -> Settings:
    return Settings.model_validate(
        {
            "backend": DockerBackend.name,
            "step_seconds": WINDOW_S,
            "broker_urls": ",".join(BROKERS),
            "chaos_url": CHAOS,
            "mesh_token": secrets.token_urlsafe(),  # each a stack of its own
            **changes,
        }
    )


@pytest.fixture
async def make(stack: FakeStack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Makes backends whose clients reach the fake stack alone, and closes them."""
    clients = {
        "BrokerClient": partial(BrokerClient, transport=stack.transport),
        "ChaosClient": partial(ChaosClient, retry_s=RETRY_S, transport=stack.transport),
        "ControlClient": partial(ControlClient, transport=stack.transport),
    }
    for name, value in {**clients, "SETTLE_S": 0.0}.items():
        monkeypatch.setattr(f"{DockerBackend.__module__}.{name}", value)
    made: list[DockerBackend] = []

    def make(**changes: object) -> DockerBackend:
        made.append(DockerBackend(settings(**changes)))
        return made[-1]

    yield make
    stack.away.clear()
    for backend in made:
        await backend.aclose()


@pytest.fixture
async def backend(make: Make) -> DockerBackend:
    backend = make()
    await backend.launch(SEED)
    await backend.route(ROUTING)
    return backend


def test_a_backend_named_in_the_settings_costs_nothing_yet() -> None:
    made = backends.make_backend(Settings(backend=DockerBackend.name))()
    assert isinstance(made, DockerBackend)
    assert made.step_seconds == STEP_SECONDS
    assert backends.make_backend(settings())().step_seconds == WINDOW_S


async def test_a_window_is_of_all_that_serve(backend: DockerBackend, stack: FakeStack) -> None:
    window = await backend.observe(3)
    assert window.step == 3
    assert all(measured.memory_pct for measured in window.services.values())
    assert window.began_at is not None and window.ended_at is not None
    assert WINDOW_S <= window.ended_at - window.began_at < WINDOW_S + 1.0
    assert backend.dead() == {}


async def test_an_unchanged_routing_is_pushed_once(
    backend: DockerBackend, stack: FakeStack
) -> None:
    await backend.launch(SEED + 1)
    await backend.route(ROUTING)
    assert stack[USERS].routings == 1
    assert stack[ReplicaId(Service.AUTH_SERVICE, 0)].routings == 1


async def test_calls_from_before_an_episode_end_before_its_first_window(
    backend: DockerBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = f"{DockerBackend.__module__}.SETTLE_S"
    monkeypatch.setattr(settle, SETTLE_S)
    await backend.launch(SEED + 1)
    began_s = time.monotonic()
    await backend.route(ROUTING)
    assert time.monotonic() - began_s >= SETTLE_S > USER_TIMEOUT_S
    # Within an episode nothing is waited for: what an action breaks is the world's.
    monkeypatch.setattr(settle, math.inf)
    await backend.route(ROUTING)


async def test_an_oom_kill_in_the_window_is_seen_in_it(
    backend: DockerBackend, stack: FakeStack
) -> None:
    observing = asyncio.create_task(backend.observe(1))
    stack[DB].die(OOM_EXIT_CODE)
    window = await observing
    assert window.services[DB.service].memory_pct is None
    assert backend.dead() == {DB: OOM_EXIT_CODE}


@pytest.mark.parametrize("refuses", [0, 1000], ids=["serves", "starts"])
async def test_a_replica_restarted_externally_in_the_window_is_dead_at_its_end(
    backend: DockerBackend, stack: FakeStack, refuses: int
) -> None:
    await backend.observe(0)
    observing = asyncio.create_task(backend.observe(1))
    await asyncio.sleep(0)
    stack[DB].start()
    stack[DB].refuses = refuses
    await observing
    assert backend.dead() == {DB: KILLED}


async def test_without_users_there_is_no_window(backend: DockerBackend, stack: FakeStack) -> None:
    stack[USERS].die(KILLED)
    with pytest.raises(ReplicaUnreachable, match=f"{USERS}: exit code {KILLED}"):
        await backend.observe(1)


async def test_observe_without_a_broker_raises(backend: DockerBackend, stack: FakeStack) -> None:
    stack.lose(*BROKERS)
    with pytest.raises(StackUnavailable, match="the broker does not answer"):
        await backend.observe(1)


async def test_a_stack_has_one_backend_at_a_time(make: Make, stack: FakeStack) -> None:
    first, second = make(mesh_token=TOKEN), make(mesh_token=TOKEN)
    await first.launch(SEED)
    stack.done.clear()
    with pytest.raises(StackUnavailable, match="another session"):
        await second.launch(SEED)
    assert stack.done == []


async def test_a_closed_backend_frees_a_clean_stack(make: Make, stack: FakeStack) -> None:
    first, second = make(mesh_token=TOKEN), make(mesh_token=TOKEN)
    await first.launch(SEED)
    await first.apply(DB, Impairments(partitioned=1.0), 1, IMPAIRMENT_TTL_S)
    assert stack.outside
    await first.aclose()
    assert stack.outside == {}
    assert stack[USERS].seed == UNUSED_SEED
    await second.launch(SEED)
    assert stack[DB].starts == 1  # nothing happened to it, and it knows that it is unused


async def test_closing_may_be_repeated(backend: DockerBackend, stack: FakeStack) -> None:
    await backend.aclose()
    stack.done.clear()
    await backend.aclose()
    assert stack.done == []


async def test_closing_without_chaos_is_an_error_and_frees_the_place(
    make: Make, stack: FakeStack
) -> None:
    first, second = make(mesh_token=TOKEN), make(mesh_token=TOKEN)
    await first.launch(SEED)
    stack.lose(CHAOS)
    with pytest.raises(ReplicaUnreachable, match=Part.CHAOS):
        await first.aclose()
    stack.away.clear()
    await second.launch(SEED)


async def test_a_server_waits_until_its_stack_is_in_order(
    make: Make, stack: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[BackendError] = []
    monkeypatch.setattr(backends, "RETRY_S", 0.0)
    standby = ReplicaId(Service.USER_DB, 1)
    stack[standby].start()
    stack.outside[str(DB)] = {"partitioned": 1.0}
    stack.lose(*BROKERS)
    preparing = asyncio.create_task(backends.prepare(settings(), reasons.append))
    await until_async(lambda: reasons)
    assert not preparing.done()
    stack.away.clear()
    await preparing
    assert stack.outside == {}
    assert not stack[standby].running
    assert stack[DB].starts == 1


async def test_other_worlds_need_no_preparation(make: Make, stack: FakeStack) -> None:
    await backends.prepare(Settings())
    assert stack.done == []
