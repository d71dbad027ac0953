"""More noise is as much more as it says, the same again for the same seed, and nothing else."""

import numpy as np
import pytest

from orchestrator import noise
from sre_autopilot.evaluation.noisier import Noisier, noisier
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.policy import Briefing
from tests.sre_autopilot.cli.terminal import simulated

FACTOR = 2.0
VALUES = ServiceMetrics(latency_p99=100.0, error_rate=0.5, cpu_pct=50.0, memory_pct=50.0)
DEVIATIONS = {
    "latency_p99": 100.0 * noise.LATENCY_NOISE_RATIO,
    "error_rate": noise.ERROR_RATE_NOISE,
    "cpu_pct": noise.PERCENT_NOISE,
    "memory_pct": noise.PERCENT_NOISE,
}


class Keeps:
    """Waits, and keeps what it observes."""

    name, privileged, needs_traces = "keeps", False, False

    def __init__(self):
        self.observed, self._waits = [], load_policy("wait")

    def begin(self, briefing):
        self._waits.begin(briefing)

    def act(self, observation):
        self.observed.append(observation)
        return self._waits.act(observation)


@pytest.fixture(scope="module")
def observation():
    record, _score = simulated("wait", "control", 1)
    observed = SREObservation.model_validate(record.steps[1].observed)
    return observed.model_copy(update={"metrics": dict.fromkeys(observed.metrics, VALUES)})


def observed(observation, steps, seed=3):
    kept = Keeps()
    policy = Noisier(kept, FACTOR, seed)
    policy.begin(Briefing(99))
    for _ in range(steps):
        policy.act(observation)
    return kept.observed


@pytest.mark.parametrize("field", DEVIATIONS)
def test_added_noise_makes_the_deviation_that_many_times_as_large(observation, field):
    values = [getattr(m, field) for o in observed(observation, 150) for m in o.metrics.values()]
    present = np.array([value for value in values if value is not None])
    own = DEVIATIONS[field]
    assert np.sqrt(present.var() + own**2) == pytest.approx(FACTOR * own, rel=0.12)
    # As many more are lost as are lost already, of those that are left.
    lost = 1.0 - len(present) / len(values)
    assert lost == pytest.approx(noise.METRIC_LOSS_RATIO, abs=0.025)


def test_the_rest_of_an_observation_is_as_it_was(observation):
    (noisy,) = observed(observation, 1)
    same = {"metrics": True}
    assert noisy.model_dump(exclude=same) == observation.model_dump(exclude=same)


def test_equal_seeds_give_equal_noise_and_others_do_not(observation):
    once, again = observed(observation, 2), observed(observation, 2)
    assert once == again
    assert observed(observation, 2, seed=4) != once


def test_policies_are_numbered_by_the_order_in_which_they_are_made(observation):
    made = []

    def new_policy():
        made.append(Keeps())
        return made[-1]

    make = noisier(new_policy, FACTOR)
    for policy in (make(), make()):
        policy.begin(Briefing(0))
        policy.act(observation)
    first_ones = [observed(observation, 1, seed)[0] for seed in (0, 1)]
    assert [policy.observed[0] for policy in made] == first_ones
