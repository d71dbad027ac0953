"""Episodes that wait for their windows, on an emulated Ray cluster of one host and of several.

    python -m benchmarks.ray_hosts

Every host is emulated on this machine and carries one mesh; windows are slept through, so that what
is measured is how the episodes are spread. Needs the extra `ray`.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

from benchmarks.paced import WINDOW_S, PacedSimulator
from orchestrator.settings import Settings
from sre_autopilot.evaluation.ray_cluster import MESH, RayHosts
from sre_autopilot.evaluation.run import Job
from sre_autopilot.world.vocabulary import Tier

HOSTS, EPISODES_A_HOST = 4, 2
POLICY = "runbook"
BACKEND = f"{PacedSimulator.__module__}:{PacedSimulator.__name__}"


@contextmanager
def emulated(hosts: int, meshes: int = 1) -> Iterator[Cluster]:
    """A cluster of so many hosts on this machine, each of which offers so many meshes."""
    offer = {MESH: meshes} if meshes else {}
    each: dict[str, Any] = {"num_cpus": 1, "resources": offer, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=each)
    try:
        for _ in range(hosts - 1):
            cluster.add_node(**each)
        cluster.wait_for_nodes()
        yield cluster
    finally:
        cluster.shutdown()


def episodes_per_s(hosts: int, window_s: float, folder: Path) -> float:
    """Of a cluster of so many hosts, once each of them has played an episode."""
    with emulated(hosts) as cluster:
        settings = Settings(backend=BACKEND, step_seconds=window_s)
        players = RayHosts(cluster.address, settings, folder)
        try:
            _play(players, hosts, 0)  # processes start, modules are imported
            began = time.perf_counter()
            count = hosts * EPISODES_A_HOST
            _play(players, count, hosts)
            return count / (time.perf_counter() - began)
        finally:
            players.close()


def _play(players: RayHosts, count: int, first_seed: int) -> None:
    jobs = [Job(POLICY, Tier.CONTROL, first_seed + number) for number in range(count)]
    with ThreadPoolExecutor(players.width) as pool:
        list(pool.map(players.play, jobs))


def main() -> None:
    """Prints the rates, and how many times faster several hosts are, as JSON."""
    window_s = float(sys.argv[1]) if len(sys.argv) > 1 else WINDOW_S
    with tempfile.TemporaryDirectory() as name:
        rates = {hosts: episodes_per_s(hosts, window_s, Path(name)) for hosts in (1, HOSTS)}
    figures = {"window_s": window_s, "episodes_per_s": rates, "speed_up": rates[HOSTS] / rates[1]}
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
