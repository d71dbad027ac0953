"""A record once more in the simulator."""

import numpy as np
import pytest

from orchestrator.environment import Environment
from sre_autopilot.debrief.replay import actions_of, replay
from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.grading import grade
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.simulator.batch import EpisodeQueue
from sre_autopilot.simulator.engines import ENGINES, make_engine
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.vocabulary import Tier


@pytest.mark.parametrize("tier", Tier)
def test_a_replay_has_the_score_of_the_record(record_of, tier):
    record = record_of("random", tier, 3)
    replayed = replay(record)
    assert replayed.steps == len(record.steps) - 1
    assert replayed.score == pytest.approx(grade(record).total, abs=1e-12)


def test_a_judged_episode_is_replayed_with_its_key(record_of):
    actions = actions_of(record_of("random", Tier.EASY, 3))
    with Environment(SimulatorBackend) as environment:
        # The environment's own key is set by a judged server; a record's is for replays.
        observation = environment.reset(seed=3, task_tier=Tier.EASY, episode_key=77)
        for action in actions:
            if not observation.done:
                observation = environment.step(action)
        judged = environment.hidden_state()
    assert replay(judged).score == pytest.approx(grade(judged).total, abs=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_lane_loaded_with_a_state_goes_on_as_the_episode_did(record_of, engine):
    replayed = replay(record_of("random", Tier.EXPERT, 3))
    lanes, last = 3, replayed.steps
    copies = make_engine(engine, "process", lanes)
    begun = last - 4
    copies.load(np.tile(replayed.keys, (lanes, 1)), np.tile(replayed.x[begun], (lanes, 1)))
    for step in range(begun + 1, last + 1):
        copies.step(np.tile(replayed.actions[step], (lanes, 1)), EpisodeQueue(Tier.EXPERT, [0] * 3))
    np.testing.assert_array_equal(copies.x, np.tile(replayed.x[last], (lanes, 1)))


def test_an_episode_keeps_the_draws_of_its_cures_in_a_key_of_their_own(record_of):
    keys = replay(record_of("oracle", Tier.EASY, 0)).keys
    assert keys[layout.CURE_KEY] == keys[layout.SEED_KEY]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"world_version": "0"}, "world_version"),
        ({"steps": ()}, "steps"),
        ({"seed": 4}, "faults"),
    ],
)
def test_a_record_that_cannot_be_replayed_is_refused_by_the_name_of_a_field(
    record_of, change, field
):
    record = record_of("oracle", Tier.EASY, 0).model_copy(update=change)
    with pytest.raises(InvalidValue, match=field):
        replay(record)


def test_an_unknown_backend_is_refused_with_the_valid_ones(record_of):
    with pytest.raises(UnknownName, match="process"):
        replay(record_of("oracle", Tier.EASY, 0), "paper")
