"""Skill and luck apart, from the values of actions: arithmetic alone, of no world.

With V(t) the value of the best known action at step t, Q(t) that of the action taken there, and
V(T + 1) the score: regret(t) = V(t) - Q(t) and luck(t) = V(t + 1) - Q(t). The sum telescopes:
score = V(1) - sum of regrets + sum of luck, whatever the values are (tests hold it).
"""

from typing import Any, NamedTuple

import numpy as np

SURE = 2.0
"""An action is called better than the one taken from so many standard errors of its gain on."""
SMALLEST = 1e-9
"""Below it a gain is a rounding error."""


class Judged(NamedTuple):
    """What each step of an episode was worth; `futures` are columns.

    means: (steps, candidates), nan where not valued. best: (steps,) int64, the best known one.
    value, taken, advised: (steps, futures), values of that, of the action taken, and of what the
    player who goes on would have done. reached: the score.
    """

    means: Any
    best: Any
    value: Any
    taken: Any
    advised: Any
    reached: float

    @property
    def regret(self) -> Any:
        return self.value - self.taken

    @property
    def luck(self) -> Any:
        last = np.full((1, self.value.shape[1]), self.reached)
        return np.concatenate([self.value[1:], last]) - self.taken

    @property
    def advantage(self) -> Any:
        """Above 0 where the action taken was better than the advised one."""
        return self.taken - self.advised


def judge(values: Any, taken: Any, advised: Any, reached: float) -> Judged:
    """values: (steps, candidates, futures), nan where a candidate was not valued at a step.

    taken, advised: (steps,) int64, places of candidates. The action taken counts as the best unless
    another is surely better, so that regrets of 0 stay 0 however many candidates there are.
    """
    steps = np.arange(len(values))
    of_taken, of_advised = values[steps, taken], values[steps, advised]
    gain = values - of_taken[:, None]
    mean, error = np.nan_to_num(gain.mean(axis=2), nan=-np.inf), standard_error(gain)
    better = mean > np.maximum(SMALLEST, SURE * np.nan_to_num(error))
    rank = np.where(better, mean, 0.0)
    # Of equals, what would have been advised.
    rank[steps, advised] += np.where(better[steps, advised], SMALLEST, 0.0)
    best = np.where(better.any(axis=1), rank.argmax(axis=1), taken)
    return Judged(values.mean(axis=2), best, values[steps, best], of_taken, of_advised, reached)


def standard_error(samples: Any) -> Any:
    """Of the mean over the last axis, which has 2 or more."""
    return samples.std(axis=-1, ddof=1) / np.sqrt(samples.shape[-1])
