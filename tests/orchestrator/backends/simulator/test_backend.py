"""The simulator behind the API: the same bytes every time, at a cost of nothing while it waits."""

import subprocess
import sys

import numpy as np
import pytest

from chaos.fault import NO_IMPAIRMENTS, Impairments
from grader import EpisodeRecord
from orchestrator.backends import make_backend
from orchestrator.backends.simulator import parameters
from orchestrator.backends.simulator.backend import SimulatorBackend
from orchestrator.environment import Environment
from orchestrator.errors import UnknownName
from orchestrator.play import play
from orchestrator.policies import load_policy
from orchestrator.rollout import routing_of
from orchestrator.settings import Settings
from services.mesh.deployment import ReplicaId, initial_deployment
from services.mesh.topology import CALLS, ENTRY, LIMITS, USERS, Service
from services.mesh.vocabulary import OOM_EXIT_CODE, Release, Tier

DB = ReplicaId(Service.USER_DB, 0)
ALL = routing_of(initial_deployment(), 0, frozenset())


def told(record: EpisodeRecord) -> str:
    """All but what only the clock and the caller decide."""
    steps = [step.model_copy(update={"duration_s": None}) for step in record.steps]
    return record.model_copy(update={"episode_id": "any", "steps": tuple(steps)}).model_dump_json()


@pytest.mark.parametrize("tier", Tier)
def test_equal_seeds_give_equal_bytes(tier):
    def once():
        with Environment(make_backend(Settings(backend=SimulatorBackend.name))) as environment:
            return told(play(environment, load_policy("runbook"), tier, 200_003)[0])

    assert once() == once()


@pytest.fixture
def mesh():
    return SimulatorBackend()


@pytest.mark.anyio
async def test_edges_add_up_to_the_calls_of_their_services(mesh):
    await mesh.launch(3)
    await mesh.route(ALL)
    await mesh.apply(DB, Impairments(partitioned=0.5), 0, 5.0)
    await mesh.observe(0)
    window = await mesh.observe(1)
    graph = {(caller, callee) for caller, callees in CALLS.items() for callee in callees}
    assert {(call.caller, call.callee) for call in window.edge_calls} <= {*graph, (USERS, ENTRY)}
    for service, seen in window.services.items():
        calls = [call for call in window.edge_calls if call.callee == service]
        assert len(calls) == seen.calls.total
        assert sum(call.failed for call in calls) == seen.calls.failed


@pytest.mark.anyio
async def test_a_leak_ends_in_a_kill_and_a_start_heals_the_memory(mesh):
    await mesh.launch(1)
    await mesh.route(ALL)
    leak = Impairments(memory_leak_mb=LIMITS[DB.service].memory_limit_mb)
    assert await mesh.apply(DB, leak, 0, 5.0) == leak
    window = await mesh.observe(0)
    assert mesh.dead() == {DB: OOM_EXIT_CODE}
    assert window.services[DB.service].memory_pct is None
    assert await mesh.apply(DB, NO_IMPAIRMENTS, 1, 5.0) is None
    await mesh.start(DB, Release.CURRENT)
    assert mesh.dead() == {}
    memory_pct = (await mesh.observe(1)).services[DB.service].memory_pct
    assert memory_pct is not None and memory_pct < 50.0


@pytest.mark.anyio
async def test_nobody_serves_when_nobody_is_in_rotation(mesh):
    await mesh.launch(1)
    nowhere = {service: () for service in Service}
    await mesh.route(type(ALL)(nowhere, ()))
    calls = (await mesh.observe(0)).services[ENTRY].calls
    assert calls.total == calls.failed > 0
    assert calls.p99_ms is None


def test_what_it_is_fitted_to_must_be_known():
    with pytest.raises(UnknownName, match="process"):
        SimulatorBackend("nowhere")


def test_parameters_are_written_as_they_are_read(tmp_path, monkeypatch):
    known = parameters.load("process")._asdict()
    del known["normal"]
    parameters.save(tmp_path / "again.json", known, {"backend": "again"})
    monkeypatch.setattr(parameters, "FOLDER", tmp_path)
    again = parameters.load("again")
    for name, value in known.items():
        np.testing.assert_array_equal(getattr(again, name), value)


def test_parameters_must_be_whole(tmp_path):
    with pytest.raises(ValueError, match="latency_ms"):
        parameters.save(tmp_path / "part.json", {"arrivals": [1.0]}, {})


def test_the_compiler_is_not_imported_by_who_does_not_ask_for_it():
    ask = "import sys, orchestrator.backends, server.app; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0
