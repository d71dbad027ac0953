"""The benchmark's arithmetic; what it measures is for `make bench`."""

from orchestrator import bench_world
from orchestrator.environment import Environment
from orchestrator.figures import Figure, sla_met_pct
from orchestrator.play import play
from orchestrator.policies import load_policy
from services.mesh.topology import Service
from services.mesh.vocabulary import MAX_STEPS, Tier
from tests.paper_mesh import PaperMesh


def record(policy, tier):
    with Environment(PaperMesh) as environment:
        return play(environment, load_policy(policy), tier, 4)[0]


def test_a_row_is_the_spread():
    row = Figure("thing", "s", "<= 2", [3.0, 1.0, 2.0]).row()
    assert row == ("thing", "1", "2", "3", "s", "<= 2")


def test_a_healthy_mesh_meets_its_sla_all_the_time():
    assert sla_met_pct([record("wait", Tier.CONTROL)]) == [100.0]


def test_a_broken_one_does_not():
    (share,) = sla_met_pct([record("wait", Tier.MEDIUM)])
    assert 0.0 < share < 100.0


def test_rest_latency_has_every_window_of_every_service():
    figures = bench_world.rest_latency([record("wait", Tier.CONTROL)])
    assert [figure.name.split()[-1] for figure in figures] == list(Service)
    assert all(len(figure.values) == MAX_STEPS for figure in figures)
