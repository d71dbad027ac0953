"""What trainers meet: Gymnasium's own checker, seeds, masks, the next episode, pictures."""

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.history.row_layout import MISSING, STEP_FEATURE
from sre_autopilot.simulator import engines
from sre_autopilot.simulator.engines import ENGINES, NUMPY
from sre_autopilot.simulator.gym import ID, register
from sre_autopilot.simulator.gym.pictures import ANSI, RGB_ARRAY
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.simulator.numpy_engine import NumpyEngine
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import MAX_RESTARTS, MAX_STEPS, ActionName, Tier

ACTION_NUMBER = {action: number for number, action in enumerate(ActionName)}
WAIT = np.array([ACTION_NUMBER[ActionName.WAIT], 0])
RESTART = np.array([ACTION_NUMBER[ActionName.RESTART], 0])


def vector(num_envs, tier=Tier.HARD):
    return gymnasium.make_vec(
        ID, num_envs, vectorization_mode="vector_entry_point", tier=tier, engine=NUMPY
    )


@pytest.mark.parametrize("tier", Tier)
def test_gymnasium_s_checker_has_no_complaint(tier):
    check_env(gymnasium.make(ID, tier=tier).unwrapped)


def test_registering_twice_is_registering_once():
    spec = gymnasium.spec(ID)
    register()
    assert gymnasium.spec(ID) is spec


def test_an_environment_of_a_vector_is_a_single_one_of_its_seed():
    many, one = vector(3), gymnasium.make(ID, tier=Tier.HARD)
    rows, info = many.reset(seed=11)
    row, alone = one.reset(seed=13)
    np.testing.assert_array_equal(rows[2], row)
    for _ in range(5):
        rows, _, _, _, info = many.step(np.tile(RESTART, (3, 1)))
        row, _, _, _, alone = one.step(RESTART)
        np.testing.assert_array_equal(rows[2], row)
        np.testing.assert_array_equal(info["action_mask"][2], alone["action_mask"])


def test_the_mask_is_0_where_an_action_would_be_refused():
    env = gymnasium.make(ID, tier=Tier.CONTROL)
    _, info = env.reset(seed=1)
    entry = list(Service).index(ENTRY)
    assert info["action_mask"].sum() == len(ActionName) * len(Service) - 1
    assert info["action_mask"][ACTION_NUMBER[ActionName.CIRCUIT_BREAK], entry] == 0
    for _ in range(MAX_RESTARTS):
        _, _, _, _, info = env.step(RESTART)
    assert not info["action_mask"][RESTART[0]].any()
    assert info["action_mask"][WAIT[0]].all()


def test_the_last_step_is_rewarded_with_the_score_and_followed_by_the_next_episode():
    env = vector(2, Tier.CONTROL)
    env.reset(seed=5)
    for step in range(1, MAX_STEPS + 1):
        rows, rewards, terminated, truncated, _ = env.step(np.tile(WAIT, (2, 1)))
        assert (rows[:, STEP_FEATURE] == step).all() and not truncated.any()
        assert terminated.dtype == np.bool_ and terminated.all() == (step == MAX_STEPS)
    assert (rewards > 0.9).all()
    rows, rewards, terminated, _, _ = env.step(np.tile(WAIT, (2, 1)))
    assert (rows[:, STEP_FEATURE] == 0).all() and not rewards.any() and not terminated.any()


def test_episodes_after_a_reset_have_the_documented_seeds():
    env, single = vector(2, Tier.EASY), gymnasium.make(ID, tier=Tier.EASY)
    rows, _ = env.reset(seed=40)
    episode = np.zeros(2, np.int64)
    for _ in range(4 * (MAX_STEPS + 1)):
        rows, *_ = env.step(np.tile(WAIT, (2, 1)))
        begun = rows[:, STEP_FEATURE] == 0
        episode += begun
        for lane in np.flatnonzero(begun):
            seed = 40 + int(lane) + 2 * int(episode[lane])
            np.testing.assert_array_equal(rows[lane], single.reset(seed=seed)[0])
    assert (episode >= 3).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_arrays_of_a_step_are_the_caller_s_to_keep(engine):
    env = SREAutopilotVectorEnv(3, engine=engine)
    rows, info = env.reset(seed=1)
    arrays = (rows, info["action_mask"], *env.step(env.action_space.sample())[:3])
    copies = [array.copy() for array in arrays]
    for _ in range(3):
        env.step(env.action_space.sample())
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_lost_values_are_marked():
    rows, _ = vector(64).reset(seed=0)
    assert 0.02 < (rows[:, :28] == MISSING).mean() < 0.09


def test_seeds_may_be_named_one_by_one_or_not_at_all():
    env = vector(2)
    one_each, _ = env.reset(seed=[13, 11])
    single, _ = vector(1).reset(seed=11)
    np.testing.assert_array_equal(one_each[1], single[0])
    rows, _ = env.reset()
    assert rows.shape == env.observation_space.shape


def test_seed_none_among_others_is_drawn_by_the_environment():
    env = vector(4)
    env.reset(seed=3)
    mixed, _ = env.reset(seed=[1, None, 2, None])
    named, _ = vector(4).reset(seed=[1, 5, 2, 6])
    np.testing.assert_array_equal(mixed[[0, 2]], named[[0, 2]])
    env.reset(seed=3)
    again, _ = env.reset(seed=[1, None, 2, None])
    np.testing.assert_array_equal(mixed, again)
    other, _ = env.reset(seed=[1, None, 2, None])
    assert not np.array_equal(again[[1, 3]], other[[1, 3]])


def test_pictures_show_every_service():
    env = gymnasium.make(ID, tier=Tier.EASY, render_mode=ANSI)
    env.reset(seed=2)
    text = str(env.render())
    assert all(service in text for service in Service)
    env = gymnasium.make(ID, tier=Tier.EASY, render_mode=RGB_ARRAY)
    env.reset(seed=2)
    env.step(WAIT)
    pixels = np.asarray(env.render())
    assert pixels.dtype == np.uint8 and pixels.ndim == 3


@pytest.mark.parametrize("wrong", [{"tier": "x"}, {"simulator_of": "x"}, {"engine": "x"}])
def test_an_unknown_name_is_refused_with_the_valid_ones(wrong):
    with pytest.raises(UnknownName, match="'x'; valid values: "):
        SREAutopilotVectorEnv(1, **wrong)


@pytest.mark.parametrize("seed", [-1, [1, 2], [], 2**63, 1.5, [None, None], ["7"], "7"])
def test_a_bad_seed_is_refused(seed):
    with pytest.raises(InvalidValue, match="seed must be a whole number"):
        SREAutopilotVectorEnv(1, engine=NUMPY).reset(seed=seed)


@pytest.mark.parametrize("action", [(-1, 0), (len(ActionName), 0), (0, len(Service)), (0, -1)])
def test_an_action_out_of_range_is_refused(action):
    env = SREAutopilotVectorEnv(2, engine=NUMPY)
    env.reset(seed=1)
    with pytest.raises(InvalidValue, match="0 to 4 and 0 to 6"):
        env.step([(0, 0), action])


@pytest.mark.parametrize(
    "actions", [[(0, 0)], [[(0, 0), (0, 0)]], [(0.5, 0), (0, 0)], [("0", "0")] * 2, None]
)
def test_actions_of_another_shape_or_kind_are_refused(actions):
    env = SREAutopilotVectorEnv(2, engine=NUMPY)
    env.reset(seed=1)
    with pytest.raises(InvalidValue, match="actions must be 2 pairs of whole numbers"):
        env.step(actions)


def test_a_step_before_the_first_reset_is_refused():
    with pytest.raises(InvalidValue, match="after reset"):
        SREAutopilotVectorEnv(1, engine=NUMPY).step([(0, 0)])


def test_no_environment_at_all_is_refused():
    with pytest.raises(InvalidValue, match="num_envs"):
        SREAutopilotVectorEnv(0)


def test_without_numba_numpy_runs_and_a_warning_is_given_once(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _name: None)
    engines.fastest_installed.cache_clear()
    try:
        with pytest.warns(UserWarning, match="Numba is not installed"):
            assert isinstance(engines.make_engine(None, "process", 1), NumpyEngine)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            engines.make_engine(None, "process", 1)
    finally:
        engines.fastest_installed.cache_clear()


USERS_OWN = ("services", "server", "models", "client", "policies", "sre_autopilot.policies")
EXTRAS = (
    "numba", "llvmlite", "scipy", "matplotlib", "fastapi", "opentelemetry", "uvicorn",
    "sqlalchemy", "docker", "aiohttp", "openai", "prometheus_client",
)  # fmt: skip


def test_training_by_numpy_imports_nothing_that_a_base_install_lacks_or_a_user_may_own():
    """Top-level names that a user's own folder may hold, and what extras bring."""
    code = f"""
import sys
for name in {(*USERS_OWN, *EXTRAS)!r}:
    sys.modules[name] = None  # Importing it fails.
import gymnasium, sre_autopilot.simulator.gym
vector = gymnasium.make_vec({ID!r}, 2, "vector_entry_point", engine="numpy")
for env in (gymnasium.make({ID!r}), vector):
    env.reset(seed=1)
    env.step(env.action_space.sample())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
