"""What Compose itself makes of the committed file, and of the image of the mesh."""

import json
import os
import subprocess
from typing import Any

import docker
import pytest
from docker.models.images import Image

from deploy.compose import AGENT_PROFILE, FILE, INFERENCE, MESH_IMAGE, PROMETHEUS_PROFILE
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import REPLICAS, TOKEN_VARIABLE, Network, Part
from sre_autopilot.world.topology import Service
from tests.live.conftest import BUILD_TIMEOUT_S

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 60)]

PROJECT = "sre-live-config"
TOKEN = "of-this-test"
SECRETS = ("API_BASE_URL", "HF_TOKEN", "SRE_STATE_TOKEN")


def ask_compose(*arguments: str, **environ: str) -> str:
    """What Compose says, with none of this machine's own settings but those given."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("SRE_") and k not in SECRETS}
    asked = subprocess.run(
        ["docker", "compose", "--file", str(FILE), "--project-name", PROJECT, *arguments],
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        env={**own, TOKEN_VARIABLE: TOKEN, **environ},
        check=False,
    )
    assert asked.returncode == 0, asked.stderr[-4000:]
    return asked.stdout


def config(**environ: str) -> dict[str, Any]:
    profiles = [f"--profile={profile}" for profile in (AGENT_PROFILE, PROMETHEUS_PROFILE)]
    text = ask_compose(*profiles, "config", "--format", "json", **environ)
    return dict(json.loads(text))


def test_compose_reads_all_of_it() -> None:
    assert set(config()["services"]) == {*map(str, REPLICAS), *Part, INFERENCE}


def test_only_the_agent_and_prometheus_wait_for_their_profiles() -> None:
    names = ask_compose("config", "--services").split()
    assert set(names) == {*map(str, REPLICAS), *Part} - {Part.PROMETHEUS}


def test_ports_are_on_this_machine_only_and_may_be_changed() -> None:
    services = config(SRE_PORT="18000", SRE_PROMETHEUS_PORT="19090")["services"]
    ports = {name: p for name, service in services.items() for p in service.get("ports", [])}
    assert {port["host_ip"] for port in ports.values()} == {"127.0.0.1"}
    assert {name: port["published"] for name, port in ports.items()} == {
        Part.ORCHESTRATOR: "18000",
        Part.PROMETHEUS: "19090",
    }


def test_the_mesh_may_have_another_subnet() -> None:
    read = config(SRE_MESH_NETWORK="10.9.8")
    assert read["networks"][Network.MESH]["ipam"]["config"] == [{"subnet": "10.9.8.0/25"}]
    for replica in map(str, REPLICAS):
        service = read["services"][replica]
        (address,) = service["labels"].values()
        assert address.startswith("10.9.8.")
        assert service["networks"][Network.MESH]["ipv4_address"] == address


def test_the_broker_gets_the_name_of_the_project() -> None:
    for broker in (Part.BROKER, Part.BROKER_STANDBY):
        expected = {"SRE_PROJECT": PROJECT, TOKEN_VARIABLE: TOKEN}
        assert config()["services"][broker]["environment"] == expected


def test_secrets_reach_only_the_parts_that_use_them() -> None:
    unset = config()["services"]
    configured = config(**dict.fromkeys(SECRETS, "a-secret"))["services"]
    holders = {name for name, service in configured.items() if "a-secret" in str(service)}
    assert holders == {INFERENCE, Part.ORCHESTRATOR}
    assert unset[INFERENCE]["environment"]["HF_TOKEN"] is None
    assert unset[Part.ORCHESTRATOR]["environment"]["SRE_STATE_TOKEN"] is None


@pytest.fixture(scope="module")
def mesh_image(engine: docker.DockerClient) -> Image:
    ask_compose("build", str(REPLICAS[0]))
    return engine.images.get(MESH_IMAGE)


def test_the_image_of_the_mesh_is_one_unprivileged_process(mesh_image: Image) -> None:
    said = mesh_image.attrs["Config"]
    assert said["User"] == "65532:65532"
    assert said["Entrypoint"] == ["python", "-m", "services.container"]
    assert not said["Volumes"]


def run(engine: docker.DockerClient, *command: str) -> str:
    output = engine.containers.run(
        MESH_IMAGE,
        entrypoint=list(command),
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        remove=True,
    )
    return bytes(output).decode()


def test_the_mesh_image_holds_the_services_and_nothing_else(
    engine: docker.DockerClient, mesh_image: Image
) -> None:
    assert set(run(engine, "ls", "-A", "/app").split()) == {"services", "sre_autopilot"}
    own = {"__init__.py", "__pycache__", "world"}
    assert set(run(engine, "ls", "-A", "/app/sre_autopilot").split()) == own
    listing = run(engine, "find", "/app", "-not", "-name", "*.py", "-type", "f").split()
    assert listing and all(path.endswith(".pyc") for path in listing)


def test_the_mesh_image_has_no_pip_and_all_that_a_replica_imports(
    engine: docker.DockerClient, mesh_image: Image
) -> None:
    said = run(engine, "sh", "-c", "command -v pip gcc; python -m services.container --help")
    assert said.startswith("usage:") and str(ReplicaId(Service.USER_DB, 1)) in said
