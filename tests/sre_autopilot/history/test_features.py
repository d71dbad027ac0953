"""Features of a memory: the same bits from lanes and from observations, and what they mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.environment import Environment
from sre_autopilot.history import features as history
from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.features import History, action_mask, advance, block
from sre_autopilot.history.rows import row_of
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier
from tests.sre_autopilot.simulator.scripts import ACTIONS, NAMES

RESTART, SCALE_UP, CIRCUIT_BREAK, ROLLBACK, WAIT = range(len(ActionName))
PAYMENT = tuple(Service).index(Service.PAYMENT_GATEWAY)


@pytest.fixture(scope="module")
def environment():
    with Environment(SimulatorBackend) as environment:
        yield environment


def rows_of(values, actions=()):
    """A row a step in which every metric has the value of the step; actions: step -> its pair."""
    rows = np.zeros((len(values), layout.FEATURE_COUNT), np.float32)
    rows[:, : layout.METRIC_COUNT] = np.array(values)[:, None]
    rows[:, layout.STEP_FEATURE] = np.arange(len(values))
    rows[:, layout.RESTARTS_LEFT_FEATURE] = 5
    rows[:, layout.ACTION_FEATURE] = WAIT
    for step, (action, service) in dict(actions).items():
        rows[step, layout.ACTION_FEATURE], rows[step, layout.SERVICE_FEATURE] = action, service
    return rows


def after(rows):
    """(steps, HISTORY_COUNT) of one lane."""
    states = [np.full((1, history.HISTORY_COUNT), np.nan, np.float32)]
    for row in rows:
        states.append(advance(states[-1], row[None]))
    return np.concatenate(states[1:])


@settings(max_examples=12)
@given(
    tier=st.sampled_from(list(Tier)),
    seed=st.integers(300_000, 400_000),
    actions=st.lists(
        st.tuples(st.sampled_from([WAIT, WAIT, WAIT, 0, 1, 2, 3]), st.integers(0, 6)),
        min_size=MAX_STEPS,
        max_size=MAX_STEPS,
    ),
)
def test_a_lane_and_an_observation_give_the_same_bits(environment, tier, seed, actions):
    """Features, rows with spans, and the mask; the mask is also that of the world."""
    lanes = SREAutopilotVectorEnv(3, tier, engine=NUMPY, trace_edges=True)
    rows, info = lanes.reset(seed=[seed + 1, seed, seed + 2])
    features = advance(np.zeros((3, history.history_count(trace_edges=True)), np.float32), rows)
    stream = History(trace_edges=True)
    observation = environment.reset(seed=seed, task_tier=tier)
    for action, service in actions:
        assert row_of(observation, trace_edges=True).tobytes() == rows[1].tobytes()
        assert stream.after(observation).tobytes() == features[1].tobytes()
        world = info["action_mask"].reshape(3, -1).astype(np.bool_)
        np.testing.assert_array_equal(action_mask(features), world)
        np.testing.assert_array_equal(stream.action_mask(), world[1])
        if observation.done:
            break
        rows, _, _, _, info = lanes.step([(action, service)] * 3)
        features = advance(features, rows)
        observation = environment.step({"action": ACTIONS[action], "service_id": NAMES[service]})


def test_features_are_437_small_numbers():
    assert history.HISTORY_COUNT == 437
    lanes = SREAutopilotVectorEnv(64, Tier.EXPERT, engine=NUMPY)
    rows, _ = lanes.reset(seed=0)
    features = advance(np.zeros((64, history.HISTORY_COUNT), np.float32), rows)
    rng = np.random.default_rng(0)
    for _ in range(2 * MAX_STEPS):
        rows, *_ = lanes.step(rng.integers((0, 0), (5, 7), (64, 2)))
        features = advance(features, rows)
        assert features.dtype == np.float32
        assert (np.abs(features) < 4.0).all()


def test_averages_go_their_share_of_the_way_and_stay_where_a_value_is_lost():
    scaled = after(rows_of([128.0, layout.MISSING, 0.0]))
    cpu = 2 * layout.SERVICE_COUNT
    for number, rate in zip(
        (history.FAST, history.MIDDLE, history.SLOW), history.RATES, strict=True
    ):
        assert block(scaled, number)[:, cpu].tolist() == [1.0, 1.0, 1.0 - rate]
    assert block(scaled, history.LAST)[:, cpu].tolist() == [1.0, 1.0, 0.0]
    assert block(scaled, history.CAME)[:, cpu].tolist() == [1.0, 0.0, 1.0]
    assert block(scaled, history.SLOPE)[:, cpu].tolist() == [0.0, 0.0, -0.5]


def test_a_metric_that_never_came_is_marked():
    scaled = after(rows_of([layout.MISSING, layout.MISSING]))
    for number in (history.LAST, history.FAST, history.PEAK):
        assert (block(scaled, number) == layout.MISSING).all()
    assert (block(scaled, history.SINCE_BROKEN) == history.NEVER).all()


def test_breaks_are_counted_and_timed():
    scaled = after(rows_of([10.0, 90.0, 90.0, 10.0, 10.0]))
    memory = 3 * layout.SERVICE_COUNT
    since = block(scaled, history.SINCE_BROKEN)[:, memory] / history.STEP
    assert since.tolist() == [32, 0, 0, 1, 2]
    assert (block(scaled, history.TIMES_BROKEN)[:, memory] * 8).tolist() == [0, 1, 2, 2, 2]


def test_an_action_begins_the_maximum_anew_and_fades():
    rows = rows_of([64.0, 32.0, 16.0, 8.0], {2: (RESTART, PAYMENT)})
    scaled, cpu = after(rows), 2 * layout.SERVICE_COUNT
    assert (block(scaled, history.PEAK)[:, cpu] * 128).tolist() == [64, 64, 16, 16]
    place = RESTART * layout.SERVICE_COUNT + PAYMENT
    assert block(scaled, history.DONE_NOW)[:, place].tolist() == [0, 0, 1, 0]
    assert block(scaled, history.DONE_FAST)[:, place].tolist() == [0, 0, 1, 0.5]
    assert (block(scaled, history.SINCE_DONE)[:, place] * 32).tolist() == [32, 32, 0, 1]
    assert block(scaled, history.DONE_NOW).sum() == 1
    assert scaled[2, history.LAST_ACTION + RESTART] == 1.0
    assert (scaled[:, history.SINCE_ACTION] * 32).tolist() == [32, 32, 0, 1]


def test_a_refused_action_was_not_done():
    rows = rows_of([1.0, 1.0], {1: (CIRCUIT_BREAK, 0)})
    rows[1, layout.REFUSED_FEATURE] = 1.0
    scaled = after(rows)
    assert not block(scaled, history.DONE_NOW).any()
    assert scaled[1, history.REFUSED] == 1.0


def test_the_first_row_of_an_episode_forgets_the_last_episode():
    rows = rows_of([100.0, 100.0, 1.0], {1: (ROLLBACK, 3)})
    rows[2, layout.STEP_FEATURE] = 0.0
    np.testing.assert_array_equal(after(rows)[2], after(rows_of([1.0]))[0])


def test_the_mask_follows_what_was_done():
    actions = {1: (SCALE_UP, 2), 4: (ROLLBACK, 2), 6: (SCALE_UP, 2)}
    masks = action_mask(after(rows_of([1.0] * 8, actions)))
    masks = masks.reshape(8, len(ActionName), layout.SERVICE_COUNT)
    assert masks[:, SCALE_UP, 2].tolist() == [1, 0, 0, 0, 1, 1, 0, 0]
    assert masks[:, ROLLBACK, 2].tolist() == [1, 0, 0, 1, 0, 0, 0, 0]
    assert masks[:, WAIT].all() and not masks[:, CIRCUIT_BREAK, 0].any()
