"""What an agent that has the code can try: which public seed loses the values that are null?

It needs no answer of the server but observations, and no time: one table for each step, made once.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from orchestrator.noise import METRIC_LOSS_RATIO, METRICS_PER_SERVICE
from sre_autopilot.models import SREObservation
from sre_autopilot.simulator.rules.array_ops import fold_key, uniform_of_key
from sre_autopilot.world.draws import Stream
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import SEED_SPLITS

PUBLIC = SEED_SPLITS["test"]
VALUES = len(Service) * METRICS_PER_SERVICE
_LOG_NULL_BUT_KEPT = np.log(0.02)
"""Of a value that is null though nothing lost it: its service was dead, or called by nobody."""


@cache
def lost_values(step: int) -> npt.NDArray[np.bool_]:
    """Seeds x values: what is lost in the window of `step`."""
    key = fold_key(np.zeros(len(PUBLIC), np.uint64), np.array(PUBLIC, np.uint64))
    for part in (Stream.METRIC_LOSS, step):
        key = fold_key(key, np.uint64(part))
    draws = [uniform_of_key(fold_key(key, np.uint64(value))) for value in range(VALUES)]
    return np.stack(draws, axis=1) < METRIC_LOSS_RATIO


def null_values(observation: SREObservation) -> npt.NDArray[np.bool_]:
    values = [v for s in Service for v in observation.metrics[s].model_dump().values()]
    return np.array([value is None for value in values])


def likeliest_seed(observations: Sequence[SREObservation]) -> int:
    """The public seed under which these observations of one episode are likeliest."""
    likelihood = np.zeros(len(PUBLIC))
    for observation in observations:
        lost, null = lost_values(observation.step), null_values(observation)
        # A lost value is null for sure; the prior of a loss weighs all seeds alike.
        of_null = np.where(lost, 0.0, _LOG_NULL_BUT_KEPT)
        of_value = np.where(lost, -np.inf, 0.0)
        likelihood += np.where(null, of_null, of_value).sum(axis=1)
    return int(PUBLIC[int(np.argmax(likelihood))])
