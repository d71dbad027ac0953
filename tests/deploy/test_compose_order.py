"""The Compose file: in which order containers start, and the addresses of its networks."""

import ipaddress

from deploy import compose
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import REPLICAS, Network, Part

STACK = compose.compose()
SERVICES = STACK["services"]
MESH = {*map(str, REPLICAS), str(Part.TRAFFIC)}


def test_containers_start_one_after_the_other_brokers_first() -> None:
    first = [str(replica) for replica in REPLICAS if replica.index == 0]
    order = [*compose.BROKERS, Part.CHAOS, *first, Part.TRAFFIC]
    assert [SERVICES[name].get("depends_on", []) for name in order] == [
        [],
        *([n] for n in order[:-1]),
    ]
    for leaf in (Part.ORCHESTRATOR, Part.PROMETHEUS):
        assert SERVICES[leaf]["depends_on"] == [Part.TRAFFIC]


def test_nothing_waits_for_a_standby() -> None:
    standbys = {str(replica) for replica in REPLICAS if replica.index > 0}
    assert not standbys & {n for s in SERVICES.values() for n in s.get("depends_on", [])}
    for replica in REPLICAS:
        if replica.index > 0:
            waits_for = SERVICES[str(replica)]["depends_on"]
            assert waits_for == [str(ReplicaId(replica.service, 0))]


def test_every_address_of_the_mesh_is_fixed_and_has_one_owner() -> None:
    on_mesh = [s["networks"][Network.MESH] for s in SERVICES.values() if "mesh" in s["networks"]]
    addresses = [joined["ipv4_address"] for joined in on_mesh]
    assert len({*addresses}) == len(addresses) == len(MESH)
    (config,) = STACK["networks"][Network.MESH]["ipam"]["config"]
    network = config["subnet"].removesuffix("0/25")
    numbers = {int(address.removeprefix(network)) for address in addresses}
    # The engine takes the first for itself, and the last is everybody's.
    assert numbers <= {*range(2, 127)}


def test_the_host_has_an_address_on_the_telemetry_network_that_is_known_beforehand() -> None:
    (config,) = STACK["networks"][Network.TELEMETRY]["ipam"]["config"]
    assert config == {"subnet": compose.TELEMETRY_SUBNET, "gateway": compose.HOST_ON_TELEMETRY}
    subnets = [
        ipaddress.ip_network(subnet.replace(compose.MESH_NETWORK, "10.1.2"))
        for subnet in (compose.MESH_SUBNET, compose.TELEMETRY_SUBNET)
    ]
    assert not subnets[0].overlaps(subnets[1])
    host = compose.HOST_ON_TELEMETRY.replace(compose.MESH_NETWORK, "10.1.2")
    assert ipaddress.ip_address(host) in subnets[1]
