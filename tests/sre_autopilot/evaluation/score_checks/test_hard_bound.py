"""The bound of the hard tier lies between what policies score and what the oracle does."""

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from sre_autopilot.evaluation.score_checks.flap_scores import (
    FIRST_ACTIONS,
    Flaps,
    Traffic,
    scores_after,
)
from sre_autopilot.evaluation.score_checks.hard_bound import (
    ROWS,
    bounds,
    document,
    estimates,
    played,
    terminal_table,
)
from sre_autopilot.policies.belief_filter.flap_grid import NOISY, ROLLOUT, STALE
from sre_autopilot.world.vocabulary import ActionName

SEEDS = range(30)
TOLERANCE = 0.02
CHEAP_CURES = {
    ROLLOUT: ActionName.ROLLBACK,
    NOISY: ActionName.SCALE_UP,
}


def flap(cause):
    """Loses every call at steps 0 and 1, 5 and 6, and so on."""
    lost, period, burst, phase, burnt, chance = (np.array([x]) for x in (1.0, 5, 2, 0, 0.0, 1.0))
    return Flaps(np.array([cause]), lost, period, burst, phase, burnt, chance)


def scores_of(faults):
    return scores_after(faults, Traffic.fitted("process"))


def test_bound_lies_between_the_policies_and_the_oracle():
    bound = np.mean(bounds(SEEDS))
    assert bound <= np.mean(played("oracle", SEEDS)) + TOLERANCE
    assert bound >= np.mean(played("belief", SEEDS))
    assert bound >= np.mean(played("runbook", SEEDS))


def test_best_score_of_a_fault_is_about_what_the_oracle_gets():
    worth = [float(scores_of(Flaps.drawn(seed)).max()) for seed in SEEDS]
    assert np.mean(worth) == pytest.approx(np.mean(played("oracle", SEEDS)), abs=TOLERANCE)


@pytest.mark.parametrize("cause", CHEAP_CURES)
def test_cheap_cure_at_once_is_best(cause):
    scores = scores_of(flap(cause))[0]
    step, action = np.unravel_index(scores.argmax(), scores.shape)
    assert (step, FIRST_ACTIONS[action]) == (0, CHEAP_CURES[cause])


def test_stale_connection_is_restarted_while_it_is_down():
    scores = scores_of(flap(STALE))[0]
    restarts = scores[:, FIRST_ACTIONS.index(ActionName.RESTART)]
    assert restarts[0] > restarts[1] + 0.1  # down at step 1, up at step 2
    assert restarts[4] > restarts[3]


def test_waiting_never_helps_a_bad_rollout():
    scores = scores_of(flap(ROLLOUT))[0]
    assert (np.diff(scores, axis=0) <= 1e-12).all()


def test_chances_of_all_possible_faults_add_up_to_1():
    possible = Flaps.possible()
    assert possible.chance.sum() == pytest.approx(1.0)
    assert [possible.chance[possible.cause == c].sum() for c in (STALE, ROLLOUT, NOISY)] == (
        pytest.approx([1 / 3] * 3)
    )


def test_window_with_two_failed_calls_is_out_of_sla():
    traffic = Traffic(5.0, 6.0, 1.0, 0.0, 2.0)
    assert traffic.out_of_sla(0.0) == 0.0
    assert traffic.out_of_sla(1.0) == pytest.approx(1.0 - np.exp(-5.0) * 6.0)


def test_bounds_are_the_same_again():
    assert bounds(range(3)) == bounds(range(3))


def test_report_has_a_row_a_name_and_the_method():
    with Progress(console=Console(quiet=True)) as progress:
        by_name = estimates(range(7, 10), progress)
    text = document(by_name, range(7, 10))
    assert text.isascii()
    assert "3 from 7" in text
    assert "information relaxation" in text
    assert terminal_table(by_name, range(7, 10)).row_count == len(ROWS)
    for name in ROWS:
        assert f"| {name} | 0." in text
