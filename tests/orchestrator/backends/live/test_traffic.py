"""Every caller hears of its callees only, and only when there is news."""

from collections.abc import Iterable

import pytest

from orchestrator.backends.base import Routing
from orchestrator.backends.live.control_client import ControlClient
from orchestrator.backends.live.traffic import MeshTraffic
from orchestrator.reconcile import routing_of
from sre_autopilot.world.deployment import ReplicaId, initial_deployment
from sre_autopilot.world.topology import CALLS, USERS, Service
from sre_autopilot.world.vocabulary import Release
from tests.orchestrator.backends.conftest import Mesh

pytestmark = pytest.mark.anyio

ALL = routing_of(initial_deployment(), 0, frozenset())
DB, STANDBY = ReplicaId(Service.USER_DB, 0), ReplicaId(Service.USER_DB, 1)
AUTH = ReplicaId(Service.AUTH_SERVICE, 0)
GATEWAY = ReplicaId(Service.API_GATEWAY, 0)
CALLERS = [ReplicaId(service, 0) for service in Service if CALLS[service]]


@pytest.fixture
async def traffic(mesh: Mesh, control: ControlClient) -> MeshTraffic:
    await mesh.launch(1)
    return MeshTraffic(mesh, control)


def with_endpoints(service: Service, *replicas: ReplicaId) -> Routing:
    return Routing({**ALL.endpoints, service: replicas}, ())


def with_breakers(*services: Service) -> Routing:
    return Routing(ALL.endpoints, services)


async def pushes(mesh: Mesh, replicas: Iterable[ReplicaId] = CALLERS) -> list[object]:
    return [(await mesh.state(replica))["pushes"] for replica in replicas]


async def endpoints(mesh: Mesh, caller: ReplicaId) -> object:
    return (await mesh.state(caller))["endpoints"]


async def test_each_replica_gets_its_own_callees(mesh: Mesh, traffic: MeshTraffic) -> None:
    await traffic.route(ALL)
    for caller in CALLERS:
        callees = [ReplicaId(callee, 0) for callee in CALLS[caller.service]]
        expected = {str(c.service): {str(c): await mesh.url(c)} for c in callees}
        assert await endpoints(mesh, caller) == expected
    assert await pushes(mesh, [DB]) == [0]


async def test_the_users_get_the_address_of_the_gateway(mesh: Mesh, traffic: MeshTraffic) -> None:
    await traffic.route(ALL)
    (users,) = mesh.handles(USERS)
    assert users.target is not None
    states = (await mesh._http.get(users.target.control_url)).json()
    assert states["endpoints"] == {Service.API_GATEWAY: {str(GATEWAY): await mesh.url(GATEWAY)}}


async def test_unchanged_routing_is_not_pushed_again(mesh: Mesh, traffic: MeshTraffic) -> None:
    await traffic.route(ALL)
    await traffic.route(ALL)
    assert await pushes(mesh) == [1] * len(CALLERS)


async def test_a_new_address_is_pushed_to_its_callers_alone(
    mesh: Mesh, traffic: MeshTraffic
) -> None:
    await traffic.route(ALL)
    await mesh.restart(DB)
    await traffic.route(ALL)
    assert await endpoints(mesh, AUTH) == {Service.USER_DB: {str(DB): await mesh.url(DB)}}
    assert await pushes(mesh) == [1 + (caller == AUTH) for caller in CALLERS]


async def test_a_restarted_caller_gets_the_same_routing(mesh: Mesh, traffic: MeshTraffic) -> None:
    await traffic.route(ALL)
    before = await endpoints(mesh, AUTH)
    await mesh.restart(AUTH)
    await traffic.route(ALL)
    assert await endpoints(mesh, AUTH) == before


async def test_route_waits_for_a_starting_replica(mesh: Mesh, traffic: MeshTraffic) -> None:
    await mesh.start(STANDBY, Release.CURRENT)
    await traffic.route(with_endpoints(Service.USER_DB, DB, STANDBY))
    expected = {str(r): await mesh.url(r) for r in (DB, STANDBY)}
    assert await endpoints(mesh, AUTH) == {Service.USER_DB: expected}


async def test_both_replicas_of_a_caller_get_routing(mesh: Mesh, traffic: MeshTraffic) -> None:
    second = ReplicaId(Service.AUTH_SERVICE, 1)
    await mesh.start(second, Release.CURRENT)
    await mesh.ready(frozenset({second}))
    await traffic.route(ALL)
    assert await endpoints(mesh, second) == await endpoints(mesh, AUTH)


async def test_dead_and_stopped_replicas_have_no_address(mesh: Mesh, traffic: MeshTraffic) -> None:
    await mesh.die(DB, 137)
    await traffic.route(with_endpoints(Service.USER_DB, DB, STANDBY))
    assert await endpoints(mesh, AUTH) == {Service.USER_DB: {}}


async def test_a_service_out_of_rotation_has_no_address(mesh: Mesh, traffic: MeshTraffic) -> None:
    await traffic.route(with_endpoints(Service.USER_DB))
    assert await endpoints(mesh, AUTH) == {Service.USER_DB: {}}


async def test_breakers_are_pushed_to_callers_alone(mesh: Mesh, traffic: MeshTraffic) -> None:
    await traffic.route(ALL)
    await traffic.route(with_breakers(Service.USER_DB, Service.PAYMENT_GATEWAY))
    states = {caller.service: (await mesh.state(caller))["open_breakers"] for caller in CALLERS}
    assert states == {
        Service.API_GATEWAY: [],
        Service.AUTH_SERVICE: [Service.USER_DB],
        Service.PRODUCT_SERVICE: [],
        Service.ORDER_SERVICE: [Service.PAYMENT_GATEWAY],
    }
    await traffic.route(ALL)
    assert (await mesh.state(AUTH))["open_breakers"] == []


async def test_an_exited_caller_is_skipped(mesh: Mesh, traffic: MeshTraffic) -> None:
    await mesh.die(AUTH, 137)
    await traffic.route(ALL)
    assert await pushes(mesh, [GATEWAY]) == [1]
