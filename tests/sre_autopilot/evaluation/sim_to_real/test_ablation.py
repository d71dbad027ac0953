"""What fitting is worth: settings are counted, averaged over worlds, and put in a sentence."""

from dataclasses import replace

import pytest

from sre_autopilot.evaluation.sim_to_real import run as sim_to_real
from sre_autopilot.evaluation.sim_to_real.ablation import (
    DRAWS,
    FITTED,
    RANDOMISED,
    SETTINGS,
    UNFITTED,
    conclusion,
    setting,
)
from sre_autopilot.evaluation.sim_to_real.policies import scores_of
from sre_autopilot.evaluation.sim_to_real.report import report
from sre_autopilot.evaluation.sim_to_real.run import compare, simulate
from sre_autopilot.simulator.calibration.recordings import Key
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.evaluation.sim_to_real.recorded_worlds import (
    REAL,
    SIM,
    bent,
    played,
    real_world,
)


def shifted(recordings, points):
    return played([replace(one, score=one.score + points) for one in recordings])


def test_setting_counts_gaps_ranks_and_cells(real, sim):
    hot = [bent(one, "cpu_pct", 3.0) for one in sim]
    compared = setting(UNFITTED, real, scores_of(real), [shifted(hot, 0.1)])
    assert compared is not None
    assert (compared.name, compared.episodes) == (UNFITTED, len(real))
    assert compared.gap.mean == pytest.approx(0.1) == compared.policy_gap
    assert (compared.ranks.ranked, compared.ranks_by_tier.ranked) == (2, 8)
    assert compared.ranks.spearman == pytest.approx(1.0)
    assert (compared.failed, compared.conclusive) == (6, 24)


def test_worlds_of_one_setting_are_averaged_and_their_windows_pooled(real, sim):
    up, down = shifted(sim, 0.3), shifted(sim, -0.1)
    compared = setting(RANDOMISED, real, scores_of(real), [up, down])
    assert compared is not None
    assert compared.gap.mean == pytest.approx(0.1)
    assert compared.failed == 0


def test_only_episodes_that_every_world_has_are_compared(real, sim):
    scores = scores_of(real)
    compared = setting(RANDOMISED, real, scores, [played(sim), played(sim[:5])])
    assert compared is not None and compared.episodes == 5
    assert setting(RANDOMISED, real, scores, [played(sim), {}]) is None


def test_conclusion_compares_fitted_with_the_others(real, sim):
    scores = scores_of(real)
    fitted = setting(FITTED, real, scores, [played(sim)])
    hot = [bent(one, "cpu_pct", 3.0) for one in sim]
    alike, off = (setting(UNFITTED, real, scores, [shifted(hot, points)]) for points in (0.01, 0.2))
    assert fitted and alike and off
    sentence = conclusion([fitted, off])
    assert sentence.startswith("0 of 24 cells of windows fail when fitted, 6 when unfitted;")
    assert sentence.endswith("is off by 0.000 when fitted, by 0.200 when unfitted.")
    assert "rules of the world" in conclusion([fitted, alike])
    assert conclusion([fitted]) == ""


def test_report_has_the_settings_in_order_where_any_was_played(real, sim):
    others = {RANDOMISED: [played(sim)] * 2, UNFITTED: [shifted(sim, 0.2)]}
    comparison = compare(real_world(real), played(sim), others)
    assert tuple(one.name for one in comparison.ablation) == SETTINGS
    assert "What fitting is worth" in report([comparison], {})
    alone = compare(real_world(real), played(sim))
    assert not alone.ablation
    assert "What fitting is worth" not in report([alone], {})


def test_randomised_simulators_are_drawn_draws_times():
    others = sim_to_real.unfitted_worlds(REAL)
    assert {name: len(worlds) for name, worlds in others.items()} == {
        UNFITTED: 1,
        RANDOMISED: DRAWS,
    }
    for worlds in others.values():
        with worlds[0]() as environment:
            (played_again,) = simulate([Key("wait", Tier.EASY, 3)], environment)
        assert played_again.backend == SIM
