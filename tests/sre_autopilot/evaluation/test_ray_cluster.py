"""Episodes on a Ray cluster that is emulated on this machine; needs the extra ray."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

ray = pytest.importorskip("ray", reason="needs the extra ray")

from benchmarks.ray_hosts import BACKEND, emulated  # noqa: E402 - they import ray
from orchestrator.settings import Settings  # noqa: E402
from sre_autopilot.errors import InvalidValue  # noqa: E402
from sre_autopilot.evaluation.ray_cluster import MESH, RayHosts  # noqa: E402
from sre_autopilot.evaluation.run import Job, Meshes  # noqa: E402
from sre_autopilot.simulator.backend import SimulatorBackend  # noqa: E402
from sre_autopilot.world.vocabulary import ActionName, Tier  # noqa: E402
from tests.server.doors import until  # noqa: E402

WAIT_S = 120.0
JOBS = [Job(ActionName.WAIT, Tier.CONTROL, seed) for seed in (1, 2, 3)]
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("default"),  # Ray's own are no errors of ours
]


@pytest.fixture
def cluster():
    with emulated(2) as cluster:
        yield cluster


@pytest.fixture
def players(cluster, tmp_path):
    made = []

    def make(**settings):
        made.append(RayHosts(cluster.address, Settings(**settings), tmp_path / "records"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def play_all(hosts):
    with ThreadPoolExecutor(len(JOBS)) as pool:
        return [pool.submit(hosts.play, job) for job in JOBS]


def test_results_are_those_of_a_mesh_here(players, tmp_path):
    hosts = players(backend=SimulatorBackend.name)
    assert hosts.width == 2
    here = Meshes(SimulatorBackend, tmp_path / "here")
    for job, call in zip(JOBS, play_all(hosts), strict=True):
        assert call.result().score == here.play(job).score
    here.close()
    assert len(list((tmp_path / "records").glob("*.jsonl"))) == len(JOBS)


def test_an_episode_of_a_dead_host_is_played_on_another_one(cluster, players):
    hosts = players(backend=BACKEND, step_seconds=0.2)
    results = list[Any]()
    playing = threading.Thread(target=lambda: results.extend(play_all(hosts)))
    playing.start()
    until(lambda: not ray.available_resources().get(MESH), WAIT_S)
    (other,) = cluster.worker_nodes
    cluster.remove_node(other, allow_graceful=False)
    playing.join(WAIT_S)
    assert len([call.result() for call in results]) == len(JOBS)


def test_a_cluster_without_meshes_is_refused(tmp_path):
    with emulated(1, meshes=0) as empty, pytest.raises(InvalidValue, match="--resources"):
        RayHosts(empty.address, Settings(), tmp_path)
    assert not ray.is_initialized()
