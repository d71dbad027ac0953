"""The bound of the hard tier lies between what policies score and what the oracle does."""

import numpy as np
import pytest

from sre_autopilot.evaluation.score_checks.flap_scores import ACTIONS, Flaps, Traffic, scores_after
from sre_autopilot.evaluation.score_checks.hard_bound import bounds, main, played
from sre_autopilot.policies.belief_filter.flapping import NOISY, ROLLOUT, STALE
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
    return scores_after(faults, Traffic.fitted())


def test_it_lies_between_the_policies_and_the_oracle():
    bound = np.mean(bounds(SEEDS))
    assert bound <= np.mean(played("oracle", SEEDS)) + TOLERANCE
    assert bound >= np.mean(played("belief", SEEDS))
    assert bound >= np.mean(played("runbook", SEEDS))


def test_what_a_fault_is_worth_is_about_what_the_oracle_gets():
    worth = [float(scores_of(Flaps.drawn(seed)).max()) for seed in SEEDS]
    assert np.mean(worth) == pytest.approx(np.mean(played("oracle", SEEDS)), abs=TOLERANCE)


@pytest.mark.parametrize("cause", CHEAP_CURES)
def test_the_cheap_cure_at_once_is_best(cause):
    scores = scores_of(flap(cause))[0]
    step, action = np.unravel_index(scores.argmax(), scores.shape)
    assert (step, ACTIONS[action]) == (0, CHEAP_CURES[cause])


def test_a_stale_connection_is_restarted_while_it_is_down():
    scores = scores_of(flap(STALE))[0]
    restarts = scores[:, ACTIONS.index(ActionName.RESTART)]
    assert restarts[0] > restarts[1] + 0.1  # down at step 1, up at step 2
    assert restarts[4] > restarts[3]


def test_waiting_never_helps_a_bad_rollout():
    scores = scores_of(flap(ROLLOUT))[0]
    assert (np.diff(scores, axis=0) <= 1e-12).all()


def test_all_that_is_possible_is_certain_together():
    possible = Flaps.possible()
    assert possible.chance.sum() == pytest.approx(1.0)
    assert [possible.chance[possible.cause == c].sum() for c in (STALE, ROLLOUT, NOISY)] == (
        pytest.approx([1 / 3] * 3)
    )


def test_two_failed_calls_break_a_window():
    traffic = Traffic(5.0, 6.0, 1.0, 0.0, 2.0)
    assert traffic.broken(0.0) == 0.0
    assert traffic.broken(1.0) == pytest.approx(1.0 - np.exp(-5.0) * 6.0)


def test_bounds_are_the_same_again():
    assert bounds(range(3)) == bounds(range(3))


def test_the_command_prints_a_line_each_and_writes_why(capsys, tmp_path):
    report = tmp_path / "told" / "bound.md"
    main(seeds=3, first_seed=7, out=report)
    printed, written = capsys.readouterr().out, report.read_text(encoding="ascii")
    for name in ("oracle", "bound", "belief", "runbook"):
        assert name in printed
        assert f"| {name} | 0." in written
    assert "3 from 7" in written
    assert "information relaxation" in written
