"""What every container of the Compose file has: rights, limits, a health check, names on networks.

Knows no part of the stack. Starts nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sre_autopilot.world import stack
from sre_autopilot.world.stack import Network, network_alias

NOBODY = "65532:65532"
CPUSET = "${SRE_CPUSET:-0,1}"
"""The CPUs of all containers together: quotas alone add up to several times as much."""
CPU_SHARES = 4096
"""Weight against other containers, which have 1024, where CPUs are short."""

ANSWERS = (
    "exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3;"
    " read -r _ status _ <&3; [ $$status = 200 ]"
)
"""A health check in bash, which starts in milliseconds; `$$` is Compose's way to write `$`."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a container may use: memory in MiB (its /tmp counts), CPU in cores, threads."""

    memory_limit_mb: int
    cpu_limit_cores: float
    tmp_mb: int = 16
    pids: int = 128


def container(image: str, size: Size, user: str = NOBODY) -> dict[str, Any]:
    """What holds for every container: no right that it does not use, and an end to all it takes."""
    return {
        "image": image,
        # Ours are built here: no registry has them.
        "pull_policy": "never",
        "user": user,
        "read_only": True,
        "tmpfs": [f"/tmp:size={size.tmp_mb}m"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{size.memory_limit_mb}m",
        "memswap_limit": f"{size.memory_limit_mb}m",
        "pids_limit": size.pids,
        # Not `cpus`: the engine would refuse to change the quota of a running container.
        "cpu_period": stack.CPU_PERIOD_US,
        "cpu_quota": round(size.cpu_limit_cores * stack.CPU_PERIOD_US),
        "cpuset": CPUSET,
        "cpu_shares": CPU_SHARES,
        "stop_grace_period": "3s",
        "restart": "unless-stopped",
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}},
    }


def build(dockerfile: str) -> dict[str, Any]:
    """Only one service of an image says how to build it, so that it is built once."""
    return {
        "context": ".",
        "dockerfile": dockerfile,
        "args": ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"],
    }


def answers(port: int, path: str) -> dict[str, Any]:
    """A health check. Each starts a process inside the container, on the CPU that the mesh needs.

    So the containers of the mesh have none.
    """
    return {
        "test": ["CMD", "bash", "-c", ANSWERS.format(port=port, path=path)],
        "interval": "10s",
        "timeout": "10s",
        "retries": 3,
        # A busy machine starts slowly; the first success ends this period.
        "start_period": "60s",
    }


def attached(network: Network, names: Iterable[str], address: str | None = None) -> dict[str, Any]:
    """A network by names that are found on no other, so that nothing bypasses a partition."""
    fixed = {} if address is None else {"ipv4_address": address}
    return {network: {**fixed, "aliases": [network_alias(name, network) for name in names]}}
