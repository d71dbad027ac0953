"""The stack of containers: what runs in it, on which networks and ports. Starts nothing."""

from enum import StrEnum

from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import MAX_REPLICAS, Service

PROJECT = "sre-autopilot"
"""Compose's name of the stack, unless the user gives another."""

REPLICAS = tuple(ReplicaId(service, index) for service in Service for index in range(MAX_REPLICAS))
"""Every replica that can serve; each has a container of the same name: "user_db-0"."""


class Part(StrEnum):
    """The containers beside the replicas."""

    TRAFFIC = "traffic"
    CHAOS = "chaos"
    BROKER = "broker"
    BROKER_STANDBY = "broker-standby"
    ORCHESTRATOR = "orchestrator"
    PROMETHEUS = "prometheus"


class Network(StrEnum):
    """MESH carries the calls, TELEMETRY the control ports and spans, CONTROL the orders to the
    broker and to chaos, AGENT what an agent in the stack may reach: the server alone, OPERATOR
    what is opened on this machine for its operator: Prometheus.
    """

    MESH = "mesh"
    TELEMETRY = "telemetry"
    CONTROL = "control"
    AGENT = "agent"
    OPERATOR = "operator"


class BrokerVerb(StrEnum):
    """The orders that the broker accepts."""

    START = "start"
    RESTART = "restart"
    STOP = "stop"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    LIMIT = "limit"
    REPAIR = "repair"


STEP_SECONDS = 1.5
"""Length of a window on containers."""

DATA_PORT = 8000
CONTROL_PORT = 9000
SERVER_PORT = 8000
METRICS_PORT = 9464
BROKER_PORT = 8200
CHAOS_PORT = 8300
PROMETHEUS_PORT = 9090
HOST_ALIAS = "host.docker.internal"
"""Name of the engine's host inside the mesh's containers."""

TOKEN_VARIABLE = "SRE_MESH_TOKEN"
"""From it the programs of a stack get the token of all traffic between them."""

LABEL_PROJECT = "com.docker.compose.project"
LABEL_CONTAINER = "com.docker.compose.service"
"""Labels by which Compose marks its containers."""
LABEL_MESH_ADDRESS = "sre-autopilot.mesh-address"
"""A replica's address on the mesh network, which it gets again when it is reconnected."""

RUNTIME_MEMORY_MB = 45
"""Interpreter and libraries, measured. Forked processes share them; a container has its own, so its
limit is this much higher than its service's, and it reports this much less memory."""
USERS_MEMORY_MB = 128
USERS_CPU_CORES = 1.0
CPU_PERIOD_US = 100_000
STARTING_CPU_CORES = 1.0
"""CPU of a replica until it serves: its imports take a second of CPU."""
STALLED_CPU_SHARE = 0.001
"""Share of its limit at which a replica is stopped in effect: about the kernel's least quota."""


def network_alias(name: str, network: Network) -> str:
    """The name by which a container, or all replicas of a service, is found on one network only.

    Compose gives the bare name on every network, so that it would bypass a partition.
    """
    return f"{name}.{network}"
