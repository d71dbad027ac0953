"""What the spans of a lane show against an environment's `trace_edges`: the same numbers."""

from typing import Any

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.history.row_layout import FEATURE_COUNT, SPAN_COUNT, SPAN_EDGES, STEP_FEATURE
from sre_autopilot.history.rows import row_of
from sre_autopilot.simulator import span_rules
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import ENGINES, NUMPY
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.simulator.rules.calls import (
    CALL_ROWS,
    CALL_WIDTH,
    FAILED,
    HUNG,
    REFUSED,
    SLOWEST_MS,
    TOTAL,
)
from sre_autopilot.simulator.span_draws import _error_rates
from sre_autopilot.simulator.span_rules import in_order, p99
from sre_autopilot.world.topology import CALLS
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.sre_autopilot.simulator.scripts import ACTIONS, NAMES, script

SEEDS = range(300_000, 300_004)


def vector(num_envs, tier=Tier.HARD, engine=NUMPY, **options):
    return SREAutopilotVectorEnv(num_envs, tier, engine=engine, trace_edges=True, **options)


def test_columns_are_those_of_the_call_graph():
    assert set(SPAN_EDGES) == {(caller, callee) for caller in CALLS for callee in CALLS[caller]}
    env = vector(2)
    rows, _ = env.reset(seed=1)
    assert rows.shape == (2, FEATURE_COUNT + SPAN_COUNT)
    assert env.observation_space.contains(rows)


@pytest.mark.parametrize("tier", Tier)
def test_spans_of_a_lane_are_those_of_an_environment(tier):
    env, scripts = vector(len(SEEDS), tier), np.array([script(seed) for seed in SEEDS])
    rows = [env.reset(seed=list(SEEDS))[0]]
    rows += [env.step(scripts[:, step])[0] for step in range(MAX_STEPS)]
    with Environment(SimulatorBackend) as environment:
        for lane, seed in enumerate(SEEDS):
            observation = environment.reset(seed=seed, task_tier=tier)
            for step in range(MAX_STEPS + 1):
                edges = rows[step][lane, FEATURE_COUNT:]
                np.testing.assert_array_equal(
                    edges, row_of(observation, trace_edges=True)[FEATURE_COUNT:]
                )
                if observation.done:
                    break
                action, service = scripts[lane, step]
                action_of_step = {"action": ACTIONS[action], "service_id": NAMES[service]}
                observation = environment.step(action_of_step)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_spans_of_a_next_episode_are_those_of_its_seed(mode):
    env = vector(3, autoreset_mode=mode)
    env.reset(seed=5, options={"staggered": True})
    rng, begun = np.random.default_rng(0), np.zeros(3, np.int64)
    played: dict[int, list[Any]] = {}
    alone: dict[int, list[Any]] = {}
    for _ in range(2 * MAX_STEPS):
        actions = rng.integers((0, 0), (5, 7), (3, 2))
        rows, *_ = env.step(actions)
        for lane in range(3):
            if rows[lane, STEP_FEATURE] == 0:
                begun[lane] += 1
                played[lane], alone[lane] = [rows[lane]], []
            elif lane in played:
                played[lane].append(rows[lane])
                alone[lane].append(actions[lane])
    for lane, of_lane in played.items():
        single = vector(1)
        rows, _ = single.reset(seed=5 + lane + 3 * int(begun[lane]))
        expected = [rows[0], *(single.step(action[None])[0][0] for action in alone[lane])]
        np.testing.assert_array_equal(of_lane, expected)
    assert len(played) == 3


@pytest.mark.timeout(600)  # The first test with Numba compiles.
@pytest.mark.parametrize("simulator_of", ["process", "docker"])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_both_engines_show_the_same_spans(simulator_of, mode):
    options = {"simulator_of": simulator_of, "autoreset_mode": mode}
    envs = [vector(12, engine=engine, **options) for engine in ENGINES]
    for env in envs:
        env.reset(seed=7, options={"staggered": True})
    rng = np.random.default_rng(0)
    for _ in range(2 * MAX_STEPS):
        actions = rng.integers((0, 0), (5, 7), (12, 2))
        by_numba, by_numpy = (env.step(actions)[0] for env in envs)
        np.testing.assert_array_equal(by_numba, by_numpy)


@pytest.mark.timeout(600)
def test_both_engines_read_many_calls_in_the_same_way():
    """Three hundred calls of an edge in a window, of which some are refused, hang or fail."""
    from sre_autopilot.simulator.numba_engine import spans  # noqa: PLC0415 - loads the compiler

    rng, lanes = np.random.default_rng(0), 5
    table = np.zeros((lanes, CALL_ROWS))
    by_edge = table.reshape(lanes, -1, CALL_WIDTH)
    by_edge[..., TOTAL] = rng.integers(0, 300, by_edge.shape[:2])
    for row in (REFUSED, HUNG, FAILED):
        by_edge[..., row] = np.floor(by_edge[..., TOTAL] * rng.random(by_edge.shape[:2]) * 0.5)
    by_edge[..., SLOWEST_MS] = rng.lognormal(3.0, 1.0, by_edge.shape[:2])
    keys = rng.integers(0, 2**63, (2, lanes)).astype(np.uint64)
    lags = rng.integers(-1, 2, (lanes, len(SPAN_EDGES)))
    results = []
    for rules in (spans, span_rules):
        windows = [rules.draw_calls(table, np.arange(lanes), keys[window]) for window in (0, 1)]
        results.append(
            [*windows[0], *windows[1], *rules.count_arrived(windows, lags, keys[0] + keys[1])]
        )
    for by_numba, by_numpy in zip(*results, strict=True):
        np.testing.assert_array_equal(by_numba, by_numpy)
    assert results[0][-4].max() > span_rules.SLOWEST_IS_P99


def test_p99_is_the_nearest_rank_of_any_number_of_calls():
    sizes = np.array([1, 0, 99, 100, 101, 350])
    group = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    latency_ms = np.random.default_rng(1).lognormal(3.0, 1.0, len(group))
    expected = [
        np.percentile(latency_ms[group == each], 99, method="inverted_cdf") if size else 0.0
        for each, size in enumerate(sizes)
    ]
    assert p99(latency_ms, group, sizes).tolist() == expected


def test_error_rates_are_rounded_as_python_rounds():
    made = np.array([1, 32, 160, 256, 700])
    failed = np.array([1, 1, 1, 0, 3])
    expected = [round(int(f) / int(m), 4) for f, m in zip(failed, made, strict=True)]
    assert _error_rates(failed, made).tolist() == expected
    assert _error_rates(failed[:4], made[:4]).tolist() == expected[:4]


@pytest.mark.parametrize(
    "start",
    [
        [0.9, 0.1, 0.5, 0.2, 0.3, 0.1],
        # Both sums of lane 1 are rounded to the same number.
        [0.9, 0.1, 0.5, 2.0**-60, 0.0, 0.1],
        # Rounded up, the sum is that of the next lane's first call.
        [0.9, 0.1, np.nextafter(1.0, 0.0), 0.2, 0.3, 0.0],
    ],
)
def test_calls_are_in_the_order_of_lanes_then_starts(start):
    row, start = np.array([0, 0, 1, 1, 1, 2]), np.array(start)
    expected = np.lexsort((start, row))
    assert in_order(row, start).tolist() == expected.tolist()
