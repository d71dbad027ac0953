"""Many goes at the rest of one episode, side by side in lanes of the simulator.

A fork takes the state before a step, does one action there, and lets a player go on to the end. Its
windows are drawn anew from that step on: fork k of every step and action has the windows of future
k, so that differences between actions are not those of their luck (common random numbers).
"""

from typing import Any, NamedTuple, Protocol

import numpy as np

from sre_autopilot.debrief.replay import Replay
from sre_autopilot.simulator.batch import Engine, EpisodeQueue
from sre_autopilot.simulator.numpy_engine import NumpyEngine
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.array_ops import stream_key
from sre_autopilot.world.draws import Stream

_FORK = np.uint64(Stream.FORK)


class Forks(NamedTuple):
    """One row a fork. step: (forks,) int64, of the first action that may differ from the record.

    actions: (forks, 2) int64, that action and its service by number. future: (forks,) int64.
    """

    step: Any
    actions: Any
    future: Any

    @property
    def lanes(self) -> int:
        return len(self.step)


class Player(Protocol):
    """Goes on in all forks of one call of `play_forks`."""

    def act(self, engine: Engine, lanes: Any) -> Any:
        """(len(lanes), 2) int64, the next action and service of some lanes, by number.

        Called after each window, in which time passed in all lanes; `lanes` are those that still
        play, and rise. A lane that has ended never comes back.
        """
        ...


def fork_keys(replay: Replay, future: Any, *, cures_redrawn: bool) -> Any:
    """(forks, KEY_COUNT) uint64: keys of episodes that share their past, and differ in the windows.

    cures_redrawn: whether a cure that works by chance is drawn anew as well; otherwise it works at
        the steps at which it does in the episode, as part of the hidden truth.
    """
    keys = np.repeat(replay.keys[None], len(future), axis=0)
    windows = stream_key(keys[:, layout.SEED_KEY], _FORK, future)
    keys[:, layout.SEED_KEY] = windows
    if cures_redrawn:
        keys[:, layout.CURE_KEY] = windows
    return keys


def play_forks(replay: Replay, forks: Forks, player: Player, *, cures_redrawn: bool) -> Any:
    """(forks,) float64: the score that each fork ends with."""
    engine = NumpyEngine(replay.parameters, forks.lanes, keeps_calls=True)
    keys = fork_keys(replay, forks.future, cures_redrawn=cures_redrawn)
    engine.load(keys, replay.x[forks.step - 1])
    # Lanes whose episode is over begin another one, which is not read.
    queue = EpisodeQueue(replay.tier, [0] * forks.lanes)
    scores, actions = np.full(forks.lanes, np.nan), forks.actions.copy()
    playing = np.arange(forks.lanes)
    while True:
        engine.step(actions, queue)
        done, score = engine.state([layout.DONE, layout.SCORE])[playing].T
        over = done > 0.0
        scores[playing[over]] = score[over]
        playing = playing[~over]
        if not len(playing):
            return scores
        actions[playing] = player.act(engine, playing)
