"""What the engine says of the containers of one stack, and what of it is damage. Pure."""

from collections.abc import Mapping
from typing import Any

from sre_autopilot.world.stack import (
    CPU_PERIOD_US,
    LABEL_MESH_ADDRESS,
    REPLICAS,
    Network,
)
from sre_autopilot.world.topology import LIMITS, Service

Inspected = Mapping[str, Any]
"""What `docker inspect` prints of one container."""
Containers = Mapping[str, Inspected]
"""By name in the stack."""
FIRST = frozenset(str(replica) for replica in REPLICAS if replica.index == 0)
STANDBYS = frozenset(map(str, REPLICAS)) - FIRST


def runs(container: Inspected) -> bool:
    return bool(container["State"]["Running"])


def mesh_address(container: Inspected) -> str | None:
    """Where it is on the mesh; None while it is cut off."""
    networks: Mapping[str, Any] = container["NetworkSettings"]["Networks"]
    attached = (fields for name, fields in networks.items() if name.endswith(f"_{Network.MESH}"))
    return next((fields["IPAddress"] for fields in attached), None)


def full_quota_us(service: Service) -> int:
    """CPU time a period that a replica of the service has while nothing is wrong with it."""
    return round(LIMITS[service].cpu_limit_cores * CPU_PERIOD_US)


def impaired(containers: Containers) -> list[str]:
    """Replicas that run, but off the mesh network or with less CPU than they should have."""
    problems = []
    for replica in REPLICAS:
        container = containers.get(str(replica))
        if container is None or not runs(container):
            continue
        if mesh_address(container) != container["Config"]["Labels"][LABEL_MESH_ADDRESS]:
            problems.append(f"{replica} is off the mesh network")
        quota_us = container["HostConfig"]["CpuQuota"]
        if quota_us != full_quota_us(replica.service):
            problems.append(f"{replica} has a CPU quota of {quota_us}")
    return problems


def unwell(containers: Containers) -> list[str]:
    """What is not as between two episodes, where all but the standbys run unharmed."""
    running = {name for name, container in containers.items() if runs(container)}
    wrong = [f"{name} does not run" for name in sorted(containers.keys() - STANDBYS - running)]
    wrong += [f"{name} runs" for name in sorted(STANDBYS & running)]
    return wrong + impaired(containers)
