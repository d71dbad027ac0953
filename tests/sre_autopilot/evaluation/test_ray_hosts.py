"""Episodes on a Ray cluster, over a stand-in of Ray that carries calls as it does: pickled."""

import importlib
import pickle
import sys
from types import SimpleNamespace

import pytest

from orchestrator.settings import Settings
from sre_autopilot import grading
from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.results import read_results
from sre_autopilot.evaluation.run import Job, Meshes, play_all
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Tier
from tests.sre_autopilot.cli.terminal import invoke

MODULE = "sre_autopilot.evaluation.ray_cluster"
SIMULATED = Settings(backend=SimulatorBackend.name)
JOBS = [Job(ActionName.WAIT, tier, seed) for seed in (1, 2) for tier in (Tier.EASY, Tier.CONTROL)]
TIMED = {"duration_s"}


class Ray:
    """A cluster of `meshes` meshes, and what was asked of it."""

    def __init__(self, meshes=2, error=None):
        self.meshes, self.error = meshes, error
        self.addresses, self.options, self.is_open = [], [], False

    def init(self, *, address, logging_level, log_to_driver):
        self.addresses.append(address)
        if self.error is not None:
            raise self.error
        self.is_open = True

    def cluster_resources(self):
        return {"CPU": 8.0} | ({"mesh": float(self.meshes)} if self.meshes else {})

    def remote(self, **options):
        self.options.append(options)

        def decorated(function):
            def called(*arguments):
                sent = pickle.loads(pickle.dumps(arguments))
                return lambda: pickle.loads(pickle.dumps(function(*sent)))

            return SimpleNamespace(remote=called)

        return decorated

    def get(self, call):
        assert self.is_open
        return call()

    def shutdown(self):
        self.is_open = False


@pytest.fixture
def ray(monkeypatch):
    ray = Ray()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    importlib.import_module(MODULE)
    yield ray
    del sys.modules[MODULE]


def hosts(settings, folder, address="auto"):
    return sys.modules[MODULE].RayHosts(address, settings, folder)


def played(players, out, width):
    assert play_all(JOBS, players, out, width=width) == 0
    return sorted((r.model_dump(exclude=TIMED) for r in read_results(out)), key=str)


def test_results_and_records_are_those_of_meshes_here(ray, tmp_path):
    here = Meshes(SimulatorBackend, tmp_path / "here")
    there = hosts(SIMULATED, tmp_path / "there")
    assert played(there, tmp_path / "there.jsonl", there.width) == played(
        here, tmp_path / "here.jsonl", 1
    )
    records = [
        {
            (record.seed, record.tier, record.score)
            for file in (tmp_path / place).glob("*.jsonl")
            for record in grading.read_episodes(file.read_text().splitlines())
        }
        for place in ("here", "there")
    ]
    assert records[0] == records[1] and len(records[1]) == len(JOBS)


def test_an_episode_takes_a_mesh_of_a_host_and_no_cpu(ray, tmp_path):
    hosts(SIMULATED, tmp_path)
    (options,) = ray.options
    assert options["resources"] == {"mesh": 1} and options["num_cpus"] == 0
    assert options["max_retries"] > 0


def test_as_many_episodes_are_under_way_as_the_hosts_have_meshes(ray, tmp_path):
    ray.meshes = 7
    assert hosts(SIMULATED, tmp_path, "head:6379").width == 7
    assert ray.addresses == ["head:6379"]


def test_the_cluster_is_left_at_the_end(ray, tmp_path):
    players = hosts(SIMULATED, tmp_path)
    assert ray.is_open
    players.close()
    assert not ray.is_open


@pytest.mark.parametrize("error", [ConnectionError("no"), RuntimeError("no"), ValueError("no")])
def test_a_cluster_that_is_not_there_is_a_bad_value(ray, tmp_path, error):
    ray.error = error
    with pytest.raises(InvalidValue, match=r"host:port of a Ray cluster's head \(no\)"):
        hosts(SIMULATED, tmp_path, "nowhere:1")


def test_a_cluster_without_meshes_says_how_a_host_offers_them(ray, tmp_path):
    ray.meshes = 0
    with pytest.raises(InvalidValue, match="--resources") as refusal:
        hosts(SIMULATED, tmp_path)
    assert refusal.value.field == "ray" and not ray.is_open


def test_settings_travel_to_the_hosts(ray, tmp_path):
    settings = SIMULATED.model_copy(update={"fault": FaultKind.SINGLE_OOM})
    hosts(settings, tmp_path).play(Job(ActionName.WAIT, Tier.HARD, 1))
    (record,) = tmp_path.glob("*.jsonl")
    assert f'"kind": "{FaultKind.SINGLE_OOM}"' in record.read_text()


def test_failures_of_a_host_are_raised_here(ray, tmp_path):
    with pytest.raises(ValueError, match="genius"):
        hosts(SIMULATED, tmp_path).play(Job("genius", Tier.EASY, 1))
    assert list(tmp_path.iterdir()) == []


def test_evaluate_plays_on_the_hosts(ray, tmp_path):
    options = ("--policies", ActionName.WAIT, "--tiers", Tier.EASY, "--seeds", 2)
    out = tmp_path / "results.jsonl"
    result = invoke("evaluate", *options, "--ray", "head:1", "--out", out)
    assert result.exit_code == 0, result.output
    assert ray.addresses == ["head:1"] and not ray.is_open
    assert len(read_results(out)) == 2 == len(list((tmp_path / "episodes").glob("*.jsonl")))


def test_ray_and_servers_exclude_each_other(tmp_path):
    both = ("--ray", "auto", "--workers", "http://one")
    result = invoke("evaluate", *both, "--out", tmp_path / "results.jsonl")
    assert result.exit_code == 2 and "only one" in result.stderr


def test_without_ray_the_command_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    result = invoke("evaluate", "--ray", "auto", "--out", tmp_path / "results.jsonl")
    assert result.exit_code == 2 and "[ray]" in result.stderr
