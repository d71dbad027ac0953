"""Forks of an episode: what they share, and what differs."""

import numpy as np

from sre_autopilot.debrief.forks import Forks, fork_keys, play_forks
from sre_autopilot.debrief.replay import replay
from sre_autopilot.debrief.sighted_player import Adviser
from sre_autopilot.debrief.truth_player import TruthPlayer
from sre_autopilot.policies import load_policy
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.vocabulary import Tier


def forks_at(step, actions, futures):
    return Forks(np.array(step), np.array(actions), np.array(futures, np.uint64))


class Script:
    """Does what the record did."""

    def __init__(self, replayed):
        self._actions = replayed.actions

    def act(self, engine, lanes):
        steps = engine.state([layout.STEP])[lanes, 0].astype(int)
        return self._actions[np.minimum(steps + 1, len(self._actions) - 1)]


def test_equal_futures_give_equal_scores_and_others_differ(record_of):
    replayed = replay(record_of("random", Tier.HARD, 2))
    futures = [0, 0, 1, 2, 3, 4, 5, 6]
    forks = forks_at([4] * len(futures), [replayed.actions[4]] * len(futures), futures)
    scores = play_forks(replayed, forks, Script(replayed), cures_redrawn=True)
    assert scores[0] == scores[1]
    assert len(set(scores)) > 1


def test_keys_of_cures_stay_unless_they_are_redrawn(record_of):
    replayed = replay(record_of("random", Tier.EASY, 2))
    futures = np.arange(2, dtype=np.uint64)
    kept = fork_keys(replayed, futures, cures_redrawn=False)
    redrawn = fork_keys(replayed, futures, cures_redrawn=True)
    assert (kept[:, layout.CURE_KEY] == replayed.keys[layout.CURE_KEY]).all()
    assert (redrawn[:, layout.CURE_KEY] == redrawn[:, layout.SEED_KEY]).all()
    assert len({*kept[:, layout.SEED_KEY], replayed.keys[layout.SEED_KEY]}) == 3


def test_a_player_with_the_truth_cures_a_fault_from_any_step(record_of):
    replayed = replay(record_of("wait", Tier.MEDIUM, 2))
    steps = np.arange(1, replayed.steps - 5)
    forks = forks_at(steps, [(layout.WAIT, 0)] * len(steps), [0] * len(steps))
    scores = play_forks(replayed, forks, TruthPlayer(), cures_redrawn=False)
    assert (scores > replayed.score).all()
    assert scores[0] > scores[-1]


def test_an_adviser_who_observed_the_same_does_what_the_policy_did(record_of):
    record = record_of("belief", Tier.HARD, 1)
    replayed = replay(record)
    adviser = Adviser(lambda: load_policy("belief"), record, replayed)
    np.testing.assert_array_equal(adviser.advised, replayed.actions[1:])


def test_copies_of_an_adviser_go_on_apart(record_of):
    record = record_of("runbook", Tier.HARD, 1)
    replayed = replay(record)
    adviser = Adviser(lambda: load_policy("belief"), record, replayed)
    forks = forks_at([2, 2, 2], [(layout.WAIT, 0)] * 3, [0, 1, 0])
    first = play_forks(replayed, forks, adviser.player(forks), cures_redrawn=True)
    again = play_forks(replayed, forks, adviser.player(forks), cures_redrawn=True)
    assert first[0] == first[2]
    np.testing.assert_array_equal(first, again)
