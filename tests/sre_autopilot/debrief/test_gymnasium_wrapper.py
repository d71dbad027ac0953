"""Process rewards in Gymnasium are those of the record of the same episode."""

import gymnasium
import pytest

from sre_autopilot.debrief.gymnasium_wrapper import PROCESS_REWARD, ProcessReward
from sre_autopilot.debrief.replay import replay
from sre_autopilot.debrief.report import advantages
from sre_autopilot.errors import InvalidValue
from sre_autopilot.world.vocabulary import Tier


@pytest.fixture
def env():
    made = gymnasium.make("sre_autopilot:SREAutopilot-v0", tier=Tier.EASY, engine="numpy")
    with ProcessReward(made, Tier.EASY, futures=2) as env:
        yield env


def test_an_episode_ends_with_the_advantages_of_its_record(env, record_of):
    replayed = replay(record_of("heuristic", Tier.EASY, 2))
    env.reset(seed=2)
    for number, action in enumerate(replayed.actions[1:], start=1):
        info = env.step(action)[-1]
        assert (PROCESS_REWARD in info) == (number == replayed.steps)
    assert info[PROCESS_REWARD].tolist() == advantages(replayed, 2)


def test_a_reset_without_a_seed_is_refused_by_name(env):
    with pytest.raises(InvalidValue, match="seed"):
        env.reset()
