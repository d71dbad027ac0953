"""Equal worlds pass; a changed one fails where it was changed, and the report says so."""

import re
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from orchestrator.environment import Environment
from orchestrator.settings import Settings
from sre_autopilot.cli.dev.sim_to_real import command
from sre_autopilot.cli.errors import BadInput
from sre_autopilot.evaluation.plots.sim_to_real import (
    DRAWINGS,
    draw_policies,
    draw_responses,
    draw_windows,
)
from sre_autopilot.evaluation.sim_to_real import run as sim_to_real
from sre_autopilot.evaluation.sim_to_real.ablation import UNFITTED
from sre_autopilot.evaluation.sim_to_real.policies import agreement, policy_gaps, scores_of
from sre_autopilot.evaluation.sim_to_real.report import failures, report
from sre_autopilot.evaluation.sim_to_real.responses import OFFSETS, responses
from sre_autopilot.evaluation.sim_to_real.run import RealWorld, compare, simulate
from sre_autopilot.evaluation.sim_to_real.windows import (
    CAUSES,
    Metric,
    autocorrelations,
    by_cause,
    cause_of,
    distances_of,
    halves,
    series,
)
from sre_autopilot.simulator.calibration.recordings import COLUMNS, Key, Recording, write
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import WORLD_VERSION, ActionName, FaultKind, FlapCause, Tier
from tests.sre_autopilot.evaluation.test_results import result
from tests.watched_simulator import WatchedSimulator

REAL, SIM = "process", "simulator"
STEPS = 12
WAITS = ((ActionName.WAIT, None, True),) * STEPS
DB = Service.USER_DB
PNG = b"\x89PNG"
HEALTHY = {"calls": 40, "failed": 2, "latency_p99": 30.0, "cpu_pct": 15.0, "memory_pct": 25.0}


def recording(policy="wait", tier=Tier.EASY, seed=1, **changes):
    """An episode of noise around HEALTHY, its own for every seed and world."""
    backend = changes.get("backend", REAL)
    rng = np.random.default_rng([seed, len(policy), len(tier), backend == SIM])
    noise = rng.uniform(0.8, 1.2, (STEPS + 1, len(Service), len(COLUMNS)))
    true = (noise * [HEALTHY[column] for column in COLUMNS]).astype(np.float32)
    fields = {"backend": backend, "world_version": WORLD_VERSION, "actions": WAITS, "true": true}
    return Recording(policy=policy, tier=tier, seed=seed, **{"score": 0.5, **fields, **changes})


def bent(recorded, column, factor):
    true = recorded.true.copy()
    true[:, :, COLUMNS.index(column)] *= factor
    return replace(recorded, true=true)


def world(backend, policies=("wait", "random"), seeds=range(12), **changes):
    return [
        recording(policy, tier, seed, backend=backend, score=0.2 + 0.05 * len(policy), **changes)
        for policy in policies
        for tier in (Tier.EASY, Tier.MEDIUM, Tier.HARD, Tier.CONTROL)
        for seed in seeds
    ]


@pytest.fixture(scope="module")
def real():
    return world(REAL)


@pytest.fixture(scope="module")
def sim():
    return world(SIM)


def played(recordings):
    return {one.key: one for one in recordings}


def real_world(real, **changes):
    return replace(RealWorld(REAL, real, [], []), **changes)


def test_cause_is_the_fault_of_tier_and_seed():
    assert cause_of(recording(tier=Tier.EASY)) is FaultKind.SINGLE_OOM
    assert cause_of(recording(tier=Tier.MEDIUM)) is FaultKind.DB_CONNECTION_LEAK
    assert cause_of(recording(tier=Tier.CONTROL)) is FaultKind.NONE
    flaps = {cause_of(recording(tier=Tier.HARD, seed=seed)) for seed in range(3)}
    assert flaps == {*FlapCause}


def test_episodes_with_two_faults_are_in_no_cell():
    recordings = [recording(tier=Tier.EXPERT, seed=seed) for seed in range(30)]
    alone = [each for each in recordings if cause_of(each) is not None]
    assert 0 < len(alone) < len(recordings)
    assert sum(map(len, by_cause(recordings).values())) == len(alone)


def test_error_rate_is_the_share_of_failed_calls():
    recorded = recording()
    recorded.true[3, 0, :2] = 8, 2
    recorded.true[4, 0, :2] = 0, 0
    rates = series(recorded, Metric.ERROR_RATE)
    assert rates.shape == (STEPS + 1, len(Service))
    assert rates[3, 0] == 0.25
    assert np.isnan(rates[4, 0])


def test_halves_are_every_other_seed():
    recordings = [recording(seed=seed) for seed in (4, 6, 8, 10)]
    assert [[r.seed for r in half] for half in halves(recordings)] == [[4, 8], [6, 10]]


def test_halves_are_repeated_runs_where_there_are_any():
    once, again = recording(seed=1), bent(recording(seed=1), "cpu_pct", 2)
    assert halves([once, recording(seed=2), again]) == ([once], [again])


def test_equal_worlds_have_no_failing_cell(real, sim):
    distances = distances_of(real, sim)
    assert {(d.metric, d.cause) for d in distances} == {(m, c) for m in Metric for c in CAUSES}
    assert not [d for d in distances if d.fails or not d.conclusive]


def test_changed_metric_fails_in_every_cell_of_it_and_in_no_other(real, sim):
    slow = [bent(one, "latency_p99", 3.0) for one in sim]
    failed = {(d.metric, d.cause) for d in distances_of(real, slow) if d.fails}
    assert failed == {(Metric.LATENCY_P99, cause) for cause in CAUSES}


def test_metric_changed_under_one_fault_fails_there(real, sim):
    hot = [bent(r, "cpu_pct", 2.0) if r.tier is Tier.EASY else r for r in sim]
    failed = [(d.metric, d.cause) for d in distances_of(real, hot) if d.fails]
    assert failed == [(Metric.CPU_PCT, FaultKind.SINGLE_OOM)]


def test_a_single_seed_has_no_floor_and_is_inconclusive():
    one = recording(seed=1)
    distances = distances_of([one], [bent(one, "cpu_pct", 9.0)])
    assert distances
    assert not [d for d in distances if d.conclusive or d.fails]


def test_missing_windows_are_counted():
    one, other = recording(seed=1), recording(seed=2)
    one.true[:, :, COLUMNS.index("cpu_pct")] = np.nan
    (cpu,) = (d for d in distances_of([one, other], [other]) if d.metric is Metric.CPU_PCT)
    assert (cpu.missing_real, cpu.missing_sim) == (0.5, 0.0)
    assert not cpu.conclusive


def test_constant_series_are_no_gap(real):
    still = [replace(r, true=np.ones_like(r.true)) for r in real]
    assert {d.ks_ratio for d in distances_of(still, still)} == {1.0}


def test_autocorrelated_world_differs_from_an_independent_one(real, sim):
    rising = [replace(r, true=np.sort(r.true, axis=0)) for r in sim]
    compared = autocorrelations(real, rising)
    assert len(compared) == len(Metric) * len(CAUSES)
    memory = [a for a in compared if a.metric is Metric.MEMORY_PCT]
    assert all(a.fails and a.sim > 0.5 > a.real for a in memory)
    assert not [a for a in autocorrelations(real, sim) if a.fails]


def test_response_is_the_series_around_the_action():
    recorded = recording(actions=(*WAITS[:3], (ActionName.RESTART, DB, True), *WAITS[4:]))
    response = responses([recorded])[ActionName.RESTART]
    assert response.times == 1
    course = recorded.true[2:11, list(Service).index(DB), COLUMNS.index("latency_p99")]
    assert response.means[Metric.LATENCY_P99] == pytest.approx(course)


def test_response_ends_with_the_episode():
    late = recording(actions=(*WAITS[:-1], (ActionName.SCALE_UP, DB, True)))
    means = responses([late])[ActionName.SCALE_UP].means[Metric.ERROR_RATE]
    assert [bool(np.isnan(mean)) for mean in means] == [offset > 0 for offset in OFFSETS]


def test_refused_actions_and_waits_have_no_response():
    refused = (ActionName.RESTART, DB, False)
    assert responses([recording(actions=(refused, *WAITS[1:]))]) == {}


def test_policy_is_compared_on_common_keys():
    here = {Key("wait", Tier.EASY, seed): 0.25 for seed in (1, 2, 3)}
    there = {Key("wait", Tier.EASY, seed): 0.75 for seed in (2, 3, 4)}
    (gap,) = policy_gaps(here, there)
    assert (gap.policy, gap.tier, gap.episodes) == ("wait", None, 2)
    assert (gap.real.mean, gap.sim.mean, gap.gap) == (0.25, 0.75, (0.5, 0.5, 0.5))
    assert gap.fails


def test_gap_whose_interval_holds_0_does_not_fail():
    keys = [Key("wait", Tier.EASY, seed) for seed in range(4)]
    (gap,) = policy_gaps(
        dict(zip(keys, (0.1, 0.9, 0.1, 0.9), strict=True)),
        dict(zip(keys, (0.9, 0.1, 0.9, 0.3), strict=True)),
    )
    assert gap.gap.low < 0.0 < gap.gap.high
    assert not gap.fails


def test_policies_are_compared_tier_by_tier_if_asked_for(real, sim):
    gaps = policy_gaps(scores_of(real), scores_of(sim), by_tier=True)
    assert len({(gap.policy, gap.tier) for gap in gaps}) == len(gaps) == 8


def test_key_played_twice_has_its_mean_score():
    runs = [recording(score=0.2), recording(score=0.4)]
    assert scores_of(runs) == {runs[0].key: pytest.approx(0.3)}


def test_agreement_is_over_the_means():
    scores = {Key(name, Tier.EASY, 1): 0.1 * n for n, name in enumerate(("a", "b", "c"))}
    turned = {key: 1.0 - score for key, score in scores.items()}
    ranks = agreement(policy_gaps(scores, turned))
    assert ranks.ranked == 3
    assert ranks.spearman == pytest.approx(-1.0)
    assert ranks.mmrv == pytest.approx((0.2 + 0.1 + 0.2) / 3)


def test_simulate_plays_each_key():
    keys = [Key("wait", Tier.EASY, 3), Key("oracle", Tier.MEDIUM, 4)]
    with Environment(WatchedSimulator) as environment:
        recordings = list(simulate(keys, environment))
    assert [one.key for one in recordings] == keys
    assert {one.backend for one in recordings} == {WatchedSimulator.name}


def test_every_key_is_played_once(real):
    graded = [result(policy="wait", tier=Tier.EASY, seed=seed) for seed in (1, 99)]
    keys = real_world(real, fit=real[:3], results=graded).keys
    assert len(keys) == len(set(keys)) == len(real) + 1


def test_scores_of_recorded_and_of_graded_episodes_are_pooled(real, sim):
    """Of an episode that is both, the mean counts."""
    assert not [gap for gap in compare(real_world(real), played(sim)).policies if gap.fails]
    graded = [result(r.score - 0.2, policy=r.policy, tier=r.tier, seed=r.seed) for r in real]
    comparison = compare(real_world(real, results=graded), played(sim))
    assert all(gap.gap.mean == pytest.approx(0.1) and gap.fails for gap in comparison.policies)
    only_graded = compare(real_world(real[:1], results=graded[1:]), played(sim)).policies
    assert sum(gap.episodes for gap in only_graded) == len(real)


def test_failures_are_listed(real, sim):
    slow = [bent(one, "latency_p99", 3.0) for one in sim]
    comparison = compare(real_world(real, fit=real), played(slow))
    share, fitted, *cells = failures(comparison)
    assert share.startswith("6 of 24 cells of held-out seeds")
    assert fitted.startswith("6 of 24 cells of the seeds that were fitted")
    assert len(cells) == 6
    assert all(Metric.LATENCY_P99 in cell for cell in cells)


def test_every_table_has_a_cell_for_every_column(real, sim):
    acted = [replace(r, actions=((ActionName.RESTART, DB, True), *WAITS[1:])) for r in real]
    others = {UNFITTED: [played(sim)]}
    text = report([compare(real_world(acted, fit=acted), played(sim), others)], {})
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(tables) == 6
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "nan" not in text
    assert text.isascii()


def test_failing_cell_is_tinted_and_both_worlds_are_drawn(real, sim):
    slow = [bent(one, "latency_p99", 3.0) for one in sim]
    panels = draw_windows(compare(real_world(real), played(slow))).axes
    assert len(panels) == len(Metric) * len(CAUSES)
    tinted = {panel.get_facecolor() for panel in panels[: len(CAUSES)]}
    assert tinted.isdisjoint({panel.get_facecolor() for panel in panels[len(CAUSES) :]})
    assert {len(panel.get_lines()) for panel in panels} == {2}


def test_responses_of_both_worlds_are_drawn_by_action(real, sim):
    restarts = ((ActionName.RESTART, DB, True), *WAITS[1:])
    acted = [replace(one, actions=restarts) for one in real]
    panels = draw_responses(compare(real_world(acted), played(sim))).axes
    assert [panel.get_title() for panel in panels[:1]] == [ActionName.RESTART]
    means = [line for line in panels[0].get_lines() if np.size(line.get_xdata()) == len(OFFSETS)]
    assert len(means) == 1, "the simulated episodes only wait"


def test_every_policy_is_named_in_the_scatter(real, sim):
    pooled, by_tier = draw_policies(compare(real_world(real), played(sim))).axes
    assert {text.get_text() for text in pooled.texts} == {"wait", "random"}
    assert len(by_tier.containers) == 4 * len(pooled.containers), "of four tiers"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command on the files in `tmp_path`."""
    monkeypatch.setattr(sim_to_real, "make_backend", lambda _settings: WatchedSimulator)
    others = {UNFITTED: [lambda: Environment(WatchedSimulator)]}
    monkeypatch.setattr(sim_to_real, "unfitted_worlds", lambda _backend: others)
    # The layout of the large pictures takes seconds; what they draw has tests of its own.
    monkeypatch.setattr(sim_to_real, "DRAWINGS", dict.fromkeys(DRAWINGS, draw_policies))
    app = typer.Typer()
    app.command()(command)

    def invoke(*options):
        folders = ("--data", tmp_path, "--results", tmp_path, "--pictures", tmp_path / "drawn")
        arguments = [str(a) for a in (*folders, "--out", tmp_path / "reports" / "gap.md", *options)]
        return CliRunner(env={"COLUMNS": "300"}).invoke(app, arguments)

    return invoke


def test_command_writes_a_report_and_its_pictures(run, tmp_path):
    few = world(REAL, seeds=range(1))
    write(tmp_path / f"{REAL}-heldout.npz", few)
    write(tmp_path / f"{REAL}-fit.npz", few[:2])
    graded = [result(backend=REAL, policy="wait", tier=Tier.EASY, seed=seed) for seed in (7, 8)]
    lines = "\n".join(each.model_dump_json() for each in graded)
    (tmp_path / f"{REAL}.jsonl").write_text(lines)
    done = run()
    assert done.exit_code == 0, done.output
    text = (tmp_path / "reports" / "gap.md").read_text(encoding="ascii")
    assert f"Against the {REAL} backend" in text
    assert "| wait | 6 |" in text, "four that were recorded, two that were graded"
    assert f"| {UNFITTED} |" in text
    links = re.findall(r"!\[.*\]\((.*)\)", text)
    assert len(links) == len(DRAWINGS)
    assert all((tmp_path / "reports" / link).read_bytes().startswith(PNG) for link in links)


def test_simulator_is_that_of_the_real_backend(monkeypatch):
    asked: list[Settings] = []
    monkeypatch.setattr(sim_to_real, "make_backend", asked.append)
    sim_to_real.simulator_of(REAL)
    assert [(s.backend, s.simulator_of) for s in asked] == [(SIM, REAL)]


def test_no_recordings_are_an_error(run, tmp_path):
    done = run()
    assert isinstance(done.exception, BadInput)
    assert "heldout" in str(done.exception)
    assert not (tmp_path / "reports").exists()


def test_recordings_of_another_world_are_named(run, tmp_path):
    write(tmp_path / f"{REAL}-heldout.npz", [recording(world_version="0")])
    done = run()
    assert isinstance(done.exception, BadInput)
    assert f"{REAL}-heldout.npz" in str(done.exception)


def test_backend_without_recordings_is_named(run):
    done = run("--backends", "moon")
    assert isinstance(done.exception, BadInput)
    assert "moon-heldout.npz" in str(done.exception)


def test_unknown_policy_is_named(run, tmp_path):
    write(tmp_path / f"{REAL}-heldout.npz", [recording(policy="genius")])
    done = run()
    assert isinstance(done.exception, BadInput)
    assert "genius" in str(done.exception)
