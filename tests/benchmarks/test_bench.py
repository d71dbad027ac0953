"""The benchmark's arithmetic and its parts; what it measures is for `sre-autopilot bench`."""

import json

import pytest

from benchmarks import episodes, mesh_cost, parts
from benchmarks.figures import Figure, sla_met_pct
from orchestrator.backends import BACKENDS
from orchestrator.backends.process.backend import ProcessBackend
from sre_autopilot.errors import UnknownName
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier
from tests.sre_autopilot.cli.terminal import invoke, is_narrow, simulated

FIGURE = Figure("thing", "s", "<= 2", [3.0, 1.0, 2.0])


@pytest.fixture(scope="module")
def healthy():
    return simulated(ActionName.WAIT, Tier.CONTROL, 4)[0]


def test_a_row_is_the_spread():
    assert FIGURE.row() == ("thing", "1", "2", "3", "s", "<= 2")


def test_a_figure_as_json_keeps_every_measurement():
    assert json.loads(json.dumps(FIGURE.as_json()))["values"] == [3.0, 1.0, 2.0]


def test_every_shipped_backend_has_parts_but_containers_need_an_engine():
    for name in BACKENDS:
        if name in (ProcessBackend.name, SimulatorBackend.name):
            assert parts.parts(name, 1, endurance=0, meshes=2)


def test_an_unknown_backend_lists_the_shipped_ones():
    with pytest.raises(UnknownName) as error:
        parts.parts("marble", 1, endurance=0, meshes=1)
    assert set(error.value.valid) == set(BACKENDS)
    result = invoke("bench", "--backend", "marble")
    assert result.exit_code == 2 and "process" in result.stderr


@pytest.fixture
def measured(monkeypatch):
    """`bench` measures one made-up figure."""
    part = episodes.Part("a thing", lambda: [FIGURE])
    monkeypatch.setattr(parts, "parts", lambda *_arguments, **_options: [part])


def test_the_table_fits_in_80_columns(measured):
    result = invoke("bench", "--runs", 2)
    assert result.exit_code == 0, result.output
    assert "simulator backend, 2 runs" in result.stdout
    assert ["thing", "1", "2", "3", "s", "<=", "2"] in [
        x.split() for x in result.stdout.split("\n")
    ]
    assert is_narrow(result.stdout)


def test_json_holds_the_figures(measured):
    printed = json.loads(invoke("bench", "--json").stdout)
    assert printed["figures"] == [FIGURE.as_json()]


def test_figures_of_an_episode_have_a_value_a_run():
    class Idle:
        def memory_mb(self):
            return 12.0

        def cpu_s(self):
            return 3.0

    class Timed(SimulatorBackend):
        step_seconds = 1.0

    bounds = episodes.Bounds(restart_s=1, reset_s=2, episode_s=3, memory_mb=4)
    figures = episodes.episode_figures(Timed, 2, bounds, Idle())
    by_name = {figure.name: (figure.bound, figure.values) for figure in figures}
    assert by_name["memory of one mesh"] == ("<= 4", [12.0, 12.0])
    assert by_name["CPU of one mesh and its orchestrator"] == ("", [0.0, 0.0])
    bound, shares = by_name["control SLA met, one mesh"]
    assert bound == ">= 99" and len(shares) == 2
    assert len(by_name["reset, its window included"][1]) == 2
    assert len(by_name["step beyond its window"][1]) == 2 * (MAX_STEPS + 1)


def test_a_healthy_mesh_meets_its_sla_nearly_always(healthy):
    (share,) = sla_met_pct([healthy])
    assert share > 98.0


def test_a_broken_mesh_misses_its_sla():
    (share,) = sla_met_pct([simulated(ActionName.WAIT, Tier.MEDIUM, 4)[0]])
    assert 0.0 < share < 98.0


def test_rest_latency_has_every_window_of_every_service(healthy):
    figures = episodes.rest_latency([healthy])
    assert [figure.name.split()[-1] for figure in figures] == list(Service)
    assert all(len(figure.values) == MAX_STEPS for figure in figures)


class RisingUsage:
    """CPU time that rises by a second whenever it is read."""

    def __init__(self):
        self.read_s = 0.0

    def memory_mb(self):
        return 0.0

    def cpu_s(self):
        self.read_s += 1.0
        return self.read_s


def test_cost_of_a_mesh_is_cpu_time_over_wall_time_and_over_calls(monkeypatch):
    monkeypatch.setattr(mesh_cost, "ProcessBackend", SimulatorBackend)
    cores, per_call = mesh_cost.mesh_cost_figures(2, RisingUsage())
    assert len(cores.values) == len(per_call.values) == 2
    assert cores.values[0] > 0
    calls_a_window = 1000.0 / per_call.values[0] / mesh_cost.WINDOWS
    assert 30 < calls_a_window < 120
