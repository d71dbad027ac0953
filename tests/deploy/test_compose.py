"""The Compose file: every container is held down, whole, and found where others look for it."""

import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from deploy import compose, viewers
from sre_autopilot.world import stack
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import REPLICAS, Network, Part, network_alias
from sre_autopilot.world.topology import LIMITS, USERS, Service
from tests.architecture.source import ROOT

MEMORY_OF_THE_STACK_MB = 8 * 1024
STACK = compose.compose()
VIEWERS = {viewers.GRAFANA, viewers.JAEGER}
"""They have tests of their own."""
SERVICES: dict[str, dict[str, Any]] = {
    name: service for name, service in STACK["services"].items() if name not in VIEWERS
}
BROKERS = {str(broker) for broker in compose.BROKERS}
MESH = {*map(str, REPLICAS), str(Part.TRAFFIC)}
HOLES = {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "userns_mode", "cpus"}
NETWORKS = {
    **{name: {Network.MESH, Network.TELEMETRY} for name in MESH},
    Part.CHAOS: {Network.CONTROL},
    Part.BROKER: {Network.CONTROL},
    Part.BROKER_STANDBY: {Network.CONTROL},
    Part.ORCHESTRATOR: {Network.CONTROL, Network.TELEMETRY, Network.AGENT},
    Part.PROMETHEUS: {Network.CONTROL, Network.TELEMETRY, Network.OPERATOR},
    compose.INFERENCE: {Network.AGENT},
}

each_service = pytest.mark.parametrize("name", SERVICES)
each_replica = pytest.mark.parametrize("replica", REPLICAS, ids=str)


def megabytes(size: str) -> int:
    assert re.fullmatch(r"\d+m", size), size
    return int(size[:-1])


def test_the_committed_file_is_fresh() -> None:
    assert compose.FILE.read_text() == compose.text(), "run `make generate`"


def test_the_module_writes_the_file_of_its_own_tree(tmp_path) -> None:
    for folder in ("deploy", "sre_autopilot/world"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "sre_autopilot" / "__init__.py", tmp_path / "sre_autopilot")
    command = [sys.executable, "-m", "deploy.compose"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, check=True)
    assert (tmp_path / "docker-compose.yml").read_text() == compose.text()


def test_a_yaml_reader_finds_what_was_meant() -> None:
    assert yaml.safe_load(compose.text()) == STACK


def test_everything_that_the_vocabulary_names_is_there() -> None:
    assert STACK["name"] == stack.PROJECT
    assert set(SERVICES) == {*map(str, REPLICAS), *Part, compose.INFERENCE}
    assert set(STACK["networks"]) == {*Network}


@each_service
def test_a_container_has_no_right_that_it_does_not_use(name) -> None:
    service = SERVICES[name]
    assert service["user"] == ("0:0" if name in BROKERS else "65532:65532")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not HOLES & service.keys()


@each_service
def test_every_container_has_limits_for_all_that_it_takes(name) -> None:
    service = SERVICES[name]
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["pids_limit"] <= 256
    assert service["cpu_period"] == stack.CPU_PERIOD_US
    assert 0 < service["cpu_quota"] <= 2 * stack.CPU_PERIOD_US
    (tmp,) = service["tmpfs"]
    size = megabytes(tmp.removeprefix("/tmp:size="))
    assert size <= megabytes(service["mem_limit"]) / 2
    assert service["logging"]["options"] == {"max-size": "1m", "max-file": "3"}


def test_the_stack_fits_its_memory() -> None:
    total = sum(megabytes(service["mem_limit"]) for service in SERVICES.values())
    assert total <= MEMORY_OF_THE_STACK_MB


def test_only_the_brokers_have_the_socket_or_any_volume() -> None:
    assert {name for name, service in SERVICES.items() if "volumes" in service} == BROKERS
    assert {n for n, service in SERVICES.items() if "docker.sock" in str(service)} == BROKERS
    for broker in BROKERS:
        assert SERVICES[broker]["volumes"] == [
            "${SRE_DOCKER_SOCKET:-/var/run/docker.sock}:/var/run/docker.sock"
        ]


@each_service
def test_a_container_is_on_its_networks_only_and_found_by_names_of_each(name) -> None:
    networks = SERVICES[name]["networks"]
    assert set(networks) == NETWORKS[name]
    for network, joined in networks.items():
        assert network_alias(name, network) in joined["aliases"]
        assert all(alias.endswith(f".{network}") for alias in joined["aliases"])


def test_neither_calls_nor_orders_lead_out_of_the_stack() -> None:
    assert {n for n, net in STACK["networks"].items() if net.get("internal")} == {
        Network.MESH,
        Network.TELEMETRY,
        Network.CONTROL,
    }


def test_ports_are_published_on_this_machine_only() -> None:
    published = {name: service.get("ports") for name, service in SERVICES.items()}
    assert {name: ports for name, ports in published.items() if ports} == {
        Part.ORCHESTRATOR: ["127.0.0.1:${SRE_PORT:-8000}:8000"],
        Part.PROMETHEUS: ["127.0.0.1:${SRE_PROMETHEUS_PORT:-9090}:9090"],
    }


@each_replica
def test_a_replica_has_what_the_mesh_says(replica) -> None:
    service, limits = SERVICES[str(replica)], LIMITS[replica.service]
    assert service["command"] == [str(replica)]
    assert megabytes(service["mem_limit"]) == limits.memory_limit_mb + stack.RUNTIME_MEMORY_MB
    assert service["cpu_quota"] == limits.cpu_limit_cores * stack.CPU_PERIOD_US


@each_replica
def test_a_replica_is_found_by_its_name_and_that_of_its_service(replica) -> None:
    for network, joined in SERVICES[str(replica)]["networks"].items():
        names = (str(replica), replica.service)
        assert joined["aliases"] == [network_alias(name, network) for name in names]


@each_replica
def test_a_replica_says_the_address_that_it_gets_again(replica) -> None:
    service = SERVICES[str(replica)]
    address = service["networks"][Network.MESH]["ipv4_address"]
    assert service["labels"] == {stack.LABEL_MESH_ADDRESS: address}


@each_service
def test_all_containers_share_two_cpus_and_the_world_goes_before_the_agent(name) -> None:
    service = SERVICES[name]
    assert service["cpuset"] == "${SRE_CPUSET:-0,1}"
    unset = 1024
    assert (service["cpu_shares"] > unset) is (name != compose.INFERENCE)


@pytest.mark.parametrize("name", sorted(MESH))
def test_processes_of_the_mesh_are_process_1_and_not_restarted_by_the_engine(name) -> None:
    service = SERVICES[name]
    assert (service["init"], service["restart"]) == (False, "no")
    assert service["image"] == compose.MESH_IMAGE
    assert "healthcheck" not in service, "it would run inside, where an outage stalls it"
    assert service["extra_hosts"] == [f"{stack.HOST_ALIAS}:{compose.HOST_ON_TELEMETRY}"]


@pytest.mark.parametrize("part", [part for part in Part if part is not Part.TRAFFIC])
def test_the_other_parts_come_back_and_are_asked_for_an_answer(part) -> None:
    service = SERVICES[part]
    assert service["restart"] == "unless-stopped"
    script = service["healthcheck"]["test"][-1]
    assert "HTTP/1.0" in script and "= 200 ]" in script
    assert not re.search(r"(?<!\$)\$(?!\$)", script), "Compose would put a variable there"


def test_the_traffic_container_runs_the_users() -> None:
    assert SERVICES[Part.TRAFFIC]["command"] == [USERS]


@pytest.mark.parametrize("image", sorted({service["image"] for service in SERVICES.values()}))
def test_an_image_is_built_by_one_service_and_never_pulled(image) -> None:
    using = [service for service in SERVICES.values() if service["image"] == image]
    (build,) = [service["build"] for service in using if "build" in service]
    assert (ROOT / build["dockerfile"]).is_file()
    assert {service["pull_policy"] for service in using} == {"never"}


def test_clients_of_the_broker_have_both_urls_on_the_control_network() -> None:
    urls = {
        SERVICES[name]["environment"]["SRE_BROKER_URLS"] for name in (Part.CHAOS, Part.ORCHESTRATOR)
    }
    assert urls == {"http://broker.control:8200,http://broker-standby.control:8200"}


def test_a_broker_has_the_name_of_its_project() -> None:
    for broker in BROKERS:
        assert SERVICES[broker]["environment"]["SRE_PROJECT"] == "${COMPOSE_PROJECT_NAME}"


def test_all_that_orders_or_reads_has_the_token_and_the_agent_has_not() -> None:
    name = stack.TOKEN_VARIABLE
    holders = {n for n, service in SERVICES.items() if name in service.get("environment", {})}
    assert holders == SERVICES.keys() - {compose.INFERENCE}
    assert {SERVICES[holder]["environment"][name] for holder in holders} == {f"${{{name}:-}}"}


def test_the_agent_comes_only_when_asked_and_reaches_no_more_than_the_server() -> None:
    agent = SERVICES[compose.INFERENCE]
    assert agent["profiles"] == ["agent"]
    profiles = {name: s["profiles"] for name, s in SERVICES.items() if "profiles" in s}
    assert profiles.keys() == {compose.INFERENCE, Part.PROMETHEUS}
    assert agent["environment"]["SRE_BASE_URL"] == "http://orchestrator.agent:8000"
    met = {name for name, nets in NETWORKS.items() if Network.AGENT in nets} - {compose.INFERENCE}
    assert met == {Part.ORCHESTRATOR}


def test_a_standby_differs_from_the_first_in_name_address_and_turn_only() -> None:
    for service in Service:
        first, standby = (SERVICES[str(ReplicaId(service, index))] for index in (0, 1))
        different = {key for key in standby if standby[key] != first[key]}
        assert different == {"command", "labels", "networks", "depends_on"}
