"""The benchmark's arithmetic; what it measures is for `make bench`."""

import pytest
import typer

from benchmarks import command as bench
from benchmarks import world as bench_world
from benchmarks.figures import Figure, sla_met_pct
from orchestrator.backends import BACKENDS
from orchestrator.environment import Environment
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.paper_mesh import PaperMesh


def record(policy, tier):
    with Environment(PaperMesh) as environment:
        return play(environment, load_policy(policy), tier, 4)[0]


def test_a_row_is_the_spread():
    row = Figure("thing", "s", "<= 2", [3.0, 1.0, 2.0]).row()
    assert row == ("thing", "1", "2", "3", "s", "<= 2")


def test_an_unknown_backend_lists_those_there_are():
    with pytest.raises(typer.BadParameter, match="marble.*" + ".*".join(BACKENDS)):
        bench.main(backend="marble")


def test_the_figures_of_an_episode_are_those_of_every_backend():
    class Idle:
        def memory_mb(self):
            return 12.0

        def cpu_s(self):
            return 3.0

    class Timed(PaperMesh):
        step_seconds = 1.0

    bounds = bench_world.Bounds(restart_s=1, reset_s=2, episode_s=3, memory_mb=4)
    figures = bench_world.episode_figures(Timed, 2, bounds, Idle())
    told = {figure.name: (figure.bound, figure.values) for figure in figures}
    assert told["memory of one mesh"] == ("<= 4", [12.0, 12.0])
    assert told["CPU of one mesh and its orchestrator"] == ("", [0.0, 0.0])
    assert told["control SLA met, one mesh"] == (">= 99", [100.0, 100.0])
    assert len(told["reset, its window included"][1]) == 2
    assert len(told["step beyond its window"][1]) == 2 * (MAX_STEPS + 1)


def test_a_healthy_mesh_meets_its_sla_all_the_time():
    assert sla_met_pct([record("wait", Tier.CONTROL)]) == [100.0]


def test_a_broken_one_does_not():
    (share,) = sla_met_pct([record("wait", Tier.MEDIUM)])
    assert 0.0 < share < 100.0


def test_rest_latency_has_every_window_of_every_service():
    figures = bench_world.rest_latency([record("wait", Tier.CONTROL)])
    assert [figure.name.split()[-1] for figure in figures] == list(Service)
    assert all(len(figure.values) == MAX_STEPS for figure in figures)
