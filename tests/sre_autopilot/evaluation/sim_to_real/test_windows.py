"""Windows of equal worlds pass; a changed metric fails where it was changed."""

from dataclasses import replace

import numpy as np

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
from sre_autopilot.simulator.calibration.recordings import COLUMNS
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import FaultKind, FlapCause, Tier
from tests.sre_autopilot.evaluation.sim_to_real.recorded_worlds import STEPS, bent, recording


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
