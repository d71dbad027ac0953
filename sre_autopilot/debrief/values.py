"""What each action would have been worth at each step: the mean score of its forks."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sre_autopilot.debrief.forks import Forks, Player, play_forks
from sre_autopilot.debrief.ledger import Judged, judge
from sre_autopilot.debrief.replay import Replay
from sre_autopilot.debrief.sighted_player import Adviser
from sre_autopilot.debrief.truth_player import TruthPlayer
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.window_arrays import SERVICE_COUNT

CHOICES = layout.WAIT * SERVICE_COUNT + 1
"""Choices by number: 7 * action + service, and the last one waits."""
MOST_LANES = 8192
"""Forks played at once: more leave the processor's cache."""


def choice_numbers(pairs: Any) -> Any:
    """(...,) int64, from (..., 2) actions and services."""
    return np.where(
        pairs[..., 0] == layout.WAIT, CHOICES - 1, pairs[..., 0] * SERVICE_COUNT + pairs[..., 1]
    )


def choice_pairs(choices: Any) -> Any:
    """(..., 2) int64, the reverse; a wait has service 0."""
    return np.stack(np.divmod(choices, SERVICE_COUNT), axis=-1)


def judge_by_truth(replay: Replay, futures: int) -> Judged:
    """All choices at every step, gone on from with the truth known, cures by chance included."""
    every = np.ones((replay.steps, CHOICES), np.bool_)
    values = _values(replay, every, futures, lambda _forks: TruthPlayer())
    return _judge(replay, values, TruthPlayer.advised(replay))


def judge_by_sight(replay: Replay, adviser: Adviser, futures: int) -> Judged:
    """What was done and what was advised at every step, gone on from by the adviser.

    The best of all choices in the episode's own world would be hindsight: whoever maximises over
    outcomes has read the truth out of them.
    """
    steps = np.arange(replay.steps)
    valued = np.zeros((replay.steps, CHOICES), np.bool_)
    valued[steps, choice_numbers(replay.actions[1:])] = True
    valued[steps, choice_numbers(adviser.advised)] = True
    values = _values(replay, valued, futures, adviser.player, cures_redrawn=True)
    return _judge(replay, values, adviser.advised)


def _judge(replay: Replay, values: Any, advised: Any) -> Judged:
    taken = choice_numbers(replay.actions[1:])
    return judge(values, taken, choice_numbers(advised), replay.score)


def _values(
    replay: Replay,
    valued: Any,
    futures: int,
    player_of: Callable[[Forks], Player],
    *,
    cures_redrawn: bool = False,
) -> Any:
    """(steps, CHOICES, futures), nan where not `valued` (steps, CHOICES)."""
    step, choice = (np.repeat(each, futures) for each in np.nonzero(valued))
    future = np.tile(np.arange(futures), len(step) // futures)
    forks = Forks(step + 1, choice_pairs(choice), future.astype(np.uint64))
    values = np.full((*valued.shape, futures), np.nan)
    for first in range(0, forks.lanes, MOST_LANES):
        part = Forks(*(each[first : first + MOST_LANES] for each in forks))
        scores = play_forks(replay, part, player_of(part), cures_redrawn=cures_redrawn)
        chosen = slice(first, first + MOST_LANES)
        values[step[chosen], choice[chosen], future[chosen]] = scores
    return values
