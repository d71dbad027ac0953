"""The stack as a Compose file: `python -m deploy.compose` writes it. Starts nothing."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from deploy.container import Size, answers, attached, build, container
from deploy.viewers import viewers
from deploy.yaml_text import dump
from sre_autopilot.world import stack
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import REPLICAS, TOKEN_VARIABLE, Network, Part, network_alias
from sre_autopilot.world.topology import LIMITS, USERS

FILE = Path(__file__).parents[1] / "docker-compose.yml"
HEADER = "# Written by `make generate` from deploy/compose.py: change that.\n"

MESH_IMAGE = "sre-mesh:latest"
ENVIRONMENT_IMAGE = "sre-env:latest"
PROMETHEUS_IMAGE = "sre-prometheus:latest"
INFERENCE = "inference"
"""The agent, which the stack starts only with its profile."""
AGENT_PROFILE = "agent"
PROMETHEUS_PROFILE = "prometheus"
"""Prometheus shows the truth to whoever reaches its port, so that a judged stack goes without it:
`make up` asks for it in develop mode alone."""
TOKEN = {TOKEN_VARIABLE: "${" + TOKEN_VARIABLE + ":-}"}
"""What all traffic within a stack carries; without it all of it is open."""

ROOT = "0:0"
"""The owner of the Docker socket; it needs no capability for it."""
SOCKET = "/var/run/docker.sock"
MESH_NETWORK = "${SRE_MESH_NETWORK:-10.213.7}"
"""First three numbers of the addresses of the mesh network, and of the telemetry network."""
MESH_SUBNET = f"{MESH_NETWORK}.0/25"
TELEMETRY_SUBNET = f"{MESH_NETWORK}.128/25"
HOST_ON_TELEMETRY = f"{MESH_NETWORK}.129"
"""This machine as the mesh's containers reach it (on Linux): the network leads nowhere else."""
FIRST_ADDRESS = 10
BROKERS = (Part.BROKER, Part.BROKER_STANDBY)
BROKER_URLS = ",".join(
    f"http://{network_alias(broker, Network.CONTROL)}:{stack.BROKER_PORT}" for broker in BROKERS
)
TELEMETRY_SIDE = network_alias(Part.ORCHESTRATOR, Network.TELEMETRY)

SIZES = {
    Part.TRAFFIC: Size(stack.USERS_MEMORY_MB, stack.USERS_CPU_CORES),
    Part.CHAOS: Size(128, 0.5),
    Part.BROKER: Size(128, 0.5),
    Part.BROKER_STANDBY: Size(128, 0.5),
    Part.ORCHESTRATOR: Size(1024, 2.0, tmp_mb=64, pids=256),
    Part.PROMETHEUS: Size(512, 0.5, tmp_mb=256),
}
INFERENCE_SIZE = Size(1024, 1.0, tmp_mb=64)
AGENT_CPU_SHARES = 256


def compose() -> dict[str, Any]:
    """The whole file, with the keys of Compose's specification."""
    in_order: dict[str, dict[str, Any]] = {
        **{broker: _broker(broker) for broker in BROKERS},
        Part.CHAOS: _chaos(),
        **{str(replica): _replica(replica) for replica in REPLICAS},
        Part.TRAFFIC: _traffic(),
        Part.ORCHESTRATOR: _orchestrator(),
        Part.PROMETHEUS: _prometheus(),
    }
    for name, before in _start_order():
        in_order[name]["depends_on"] = [before]
    return {
        "name": stack.PROJECT,
        "services": {**in_order, INFERENCE: _inference(), **viewers()},
        "networks": {
            Network.MESH: _internal(subnet=MESH_SUBNET),
            Network.TELEMETRY: _internal(subnet=TELEMETRY_SUBNET, gateway=HOST_ON_TELEMETRY),
            Network.CONTROL: {"internal": True},
            # An agent asks its model out there; in the stack it finds the server and nobody else.
            Network.AGENT: {},
            # Ports are published through networks that are not internal.
            Network.OPERATOR: {},
        },
    }


def text() -> str:
    return HEADER + dump(compose())


def _start_order() -> Iterator[tuple[str, str]]:
    """Each container that waits for another, and that other.

    One after the other, and at the end the last one first: whoever orders goes before whom it
    moves, and where many leave a network at once, an engine (20.10) may miscount and keep it.
    Nothing waits for a standby, so that starting the rest leaves standbys as they are.
    """
    first = [str(replica) for replica in REPLICAS if replica.index == 0]
    yield from ((late, early) for early, late in pairwise((*BROKERS, Part.CHAOS, *first)))
    yield Part.TRAFFIC, first[-1]
    yield Part.ORCHESTRATOR, Part.TRAFFIC
    yield Part.PROMETHEUS, Part.TRAFFIC
    for replica in REPLICAS:
        if replica.index > 0:
            yield str(replica), str(replace(replica, index=0))


def _internal(**addresses: str) -> dict[str, Any]:
    """A network that leads nowhere out of the stack."""
    return {"internal": True, "ipam": {"config": [addresses]}}


def _address(position: int) -> str:
    return f"{MESH_NETWORK}.{FIRST_ADDRESS + position}"


def _of_the_mesh(name: str, size: Size) -> dict[str, Any]:
    # No restart by the engine, whose back-off would bend an episode: the broker brings it back.
    # And no init: what the kernel kills for its memory is process 1, and the container with it.
    size = replace(size, memory_limit_mb=size.memory_limit_mb + stack.RUNTIME_MEMORY_MB)
    return container(MESH_IMAGE, size) | {
        "command": [name],
        "init": False,
        "restart": "no",
        "environment": {
            "OTEL_EXPORTER_OTLP_ENDPOINT": None,
            **TOKEN,
        },
        # For a collector on the host itself.
        "extra_hosts": [f"{stack.HOST_ALIAS}:{HOST_ON_TELEMETRY}"],
        # No health check: it would start a process inside, which an outage of the CPU stalls for
        # seconds, and the engine changes no quota meanwhile. The environment asks the control port.
    }


def _replica(replica: ReplicaId) -> dict[str, Any]:
    limits = LIMITS[replica.service]
    names = (str(replica), replica.service)
    address = _address(REPLICAS.index(replica))
    built = {"build": build("services/Dockerfile")} if replica == REPLICAS[0] else {}
    size = Size(limits.memory_limit_mb, limits.cpu_limit_cores)
    own = {
        "labels": {stack.LABEL_MESH_ADDRESS: address},
        "networks": attached(Network.MESH, names, address) | attached(Network.TELEMETRY, names),
    }
    return _of_the_mesh(str(replica), size) | built | own


def _traffic() -> dict[str, Any]:
    names = (Part.TRAFFIC,)
    # A fixed address too: one given out freely could be that of a replica cut off for a moment.
    address = _address(len(REPLICAS))
    return _of_the_mesh(USERS, SIZES[Part.TRAFFIC]) | {
        "labels": {stack.LABEL_MESH_ADDRESS: address},
        "networks": attached(Network.MESH, names, address) | attached(Network.TELEMETRY, names),
    }


def _broker(part: Part) -> dict[str, Any]:
    # The rest depends on the first of them, so that the image is built whatever is asked for.
    built = {"build": build("Dockerfile")} if part == BROKERS[0] else {}
    own = {
        "command": ["python", "-m", "orchestrator.broker.app"],
        "environment": {"SRE_PROJECT": "${COMPOSE_PROJECT_NAME}", **TOKEN},
        "volumes": ["${SRE_DOCKER_SOCKET:-" + SOCKET + "}:" + SOCKET],
        "networks": attached(Network.CONTROL, [part]),
        "healthcheck": answers(stack.BROKER_PORT, "/healthz"),
    }
    return container(ENVIRONMENT_IMAGE, SIZES[part], ROOT) | built | own


def _chaos() -> dict[str, Any]:
    return container(ENVIRONMENT_IMAGE, SIZES[Part.CHAOS]) | {
        "command": ["python", "-m", "chaos.daemon.app"],
        "environment": {"SRE_BROKER_URLS": BROKER_URLS, **TOKEN},
        "networks": attached(Network.CONTROL, [Part.CHAOS]),
        "healthcheck": answers(stack.CHAOS_PORT, "/healthz"),
    }


def _orchestrator() -> dict[str, Any]:
    names = (Part.ORCHESTRATOR,)
    chaos = f"http://{network_alias(Part.CHAOS, Network.CONTROL)}:{stack.CHAOS_PORT}"
    return container(ENVIRONMENT_IMAGE, SIZES[Part.ORCHESTRATOR]) | {
        "environment": {
            "SRE_BACKEND": "docker",
            "SRE_MAX_SESSIONS": "1",
            # Out of an agent's reach: metrics tell the truth.
            "SRE_METRICS_HOST": TELEMETRY_SIDE,
            "SRE_BROKER_URLS": BROKER_URLS,
            "SRE_CHAOS_URL": chaos,
            "SRE_MODE": None,
            "SRE_SECRET": None,
            "SRE_STATE_TOKEN": None,
            **TOKEN,
            "SRE_FAULT": None,
        },
        "networks": attached(Network.TELEMETRY, names)
        | attached(Network.CONTROL, names)
        | attached(Network.AGENT, names),
        "ports": ["127.0.0.1:${SRE_PORT:-8000}:" + str(stack.SERVER_PORT)],
        # It goes before the users, whom it starts anew when it ends.
        "stop_grace_period": "10s",
        "healthcheck": answers(stack.SERVER_PORT, "/health"),
    }


def _prometheus() -> dict[str, Any]:
    return container(PROMETHEUS_IMAGE, SIZES[Part.PROMETHEUS]) | {
        "profiles": [PROMETHEUS_PROFILE],
        "build": build("observability/Dockerfile"),
        "environment": TOKEN,
        "networks": attached(Network.TELEMETRY, [Part.PROMETHEUS])
        | attached(Network.CONTROL, [Part.PROMETHEUS])
        | attached(Network.OPERATOR, [Part.PROMETHEUS]),
        "ports": ["127.0.0.1:${SRE_PROMETHEUS_PORT:-9090}:" + str(stack.PROMETHEUS_PORT)],
        "healthcheck": answers(stack.PROMETHEUS_PORT, "/-/healthy"),
    }


def _inference() -> dict[str, Any]:
    server = f"http://{network_alias(Part.ORCHESTRATOR, Network.AGENT)}:{stack.SERVER_PORT}"
    return container(ENVIRONMENT_IMAGE, INFERENCE_SIZE) | {
        "profiles": [AGENT_PROFILE],
        "command": ["python", "inference.py", "--transcripts", "/tmp/transcripts"],
        "environment": {
            "SRE_BASE_URL": server,
            "API_BASE_URL": None,
            "MODEL_NAME": None,
            "HF_TOKEN": None,
        },
        "networks": attached(Network.AGENT, [INFERENCE]),
        "restart": "no",
        # The measured world goes before what measures itself against it.
        "cpu_shares": AGENT_CPU_SHARES,
        # The image's own asks a server for its health, and this is none.
        "healthcheck": {"disable": True},
    }


def main() -> None:
    """Writes docker-compose.yml."""
    FILE.write_text(text(), encoding="ascii")


if __name__ == "__main__":
    main()
