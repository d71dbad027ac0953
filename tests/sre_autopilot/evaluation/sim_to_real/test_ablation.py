"""What fitting is worth: settings are counted, averaged over worlds, and said in a sentence."""

from dataclasses import replace

import pytest

from sre_autopilot.evaluation.sim_to_real import command as sim_to_real
from sre_autopilot.evaluation.sim_to_real.ablation import (
    DRAWS,
    FITTED,
    RANDOMISED,
    SETTINGS,
    UNFITTED,
    said,
    setting,
)
from sre_autopilot.evaluation.sim_to_real.command import compare, simulate
from sre_autopilot.evaluation.sim_to_real.policies import scores_of
from sre_autopilot.evaluation.sim_to_real.report import report
from sre_autopilot.simulator.calibration.recordings import Key
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.evaluation.sim_to_real.test_sim_to_real import (
    REAL,
    SIM,
    bent,
    known,
    played,
    world,
)


@pytest.fixture(scope="module")
def real():
    return world(REAL)


@pytest.fixture(scope="module")
def sim():
    return world(SIM)


def shifted(recordings, points):
    return played([replace(found, score=found.score + points) for found in recordings])


def test_a_setting_counts_gaps_ranks_and_cells(real, sim):
    hot = [bent(found, "cpu_pct", 3.0) for found in sim]
    found = setting(UNFITTED, real, scores_of(real), [shifted(hot, 0.1)])
    assert found is not None
    assert (found.name, found.episodes) == (UNFITTED, len(real))
    assert found.gap.mean == pytest.approx(0.1) == found.policy_gap
    assert (found.ranks.ranked, found.ranks_by_tier.ranked) == (2, 8)
    assert found.ranks.spearman == pytest.approx(1.0)
    assert (found.failed, found.told) == (6, 24)


def test_worlds_of_one_setting_are_averaged_and_their_windows_pooled(real, sim):
    up, down = shifted(sim, 0.3), shifted(sim, -0.1)
    found = setting(RANDOMISED, real, scores_of(real), [up, down])
    assert found is not None
    assert found.gap.mean == pytest.approx(0.1)
    assert found.failed == 0


def test_only_what_every_world_has_is_compared(real, sim):
    scores = scores_of(real)
    found = setting(RANDOMISED, real, scores, [played(sim), played(sim[:5])])
    assert found is not None and found.episodes == 5
    assert setting(RANDOMISED, real, scores, [played(sim), {}]) is None


def test_what_fitting_is_worth_is_said_in_a_sentence(real, sim):
    scores = scores_of(real)
    fitted = setting(FITTED, real, scores, [played(sim)])
    hot = [bent(found, "cpu_pct", 3.0) for found in sim]
    alike, off = (setting(UNFITTED, real, scores, [shifted(hot, points)]) for points in (0.01, 0.2))
    assert fitted and alike and off
    told = said([fitted, off])
    assert told.startswith("0 of 24 cells of windows fail when fitted, 6 when unfitted;")
    assert told.endswith("is off by 0.000 when fitted, by 0.200 when unfitted.")
    assert "rules of the world" in said([fitted, alike])
    assert said([fitted]) == ""


def test_settings_are_told_in_order_where_any_was_played(real, sim):
    others = {RANDOMISED: [played(sim)] * 2, UNFITTED: [shifted(sim, 0.2)]}
    told = compare(known(real), played(sim), others)
    assert tuple(found.name for found in told.ablation) == SETTINGS
    assert "What fitting is worth" in report([told], {})
    alone = compare(known(real), played(sim))
    assert not alone.ablation
    assert "What fitting is worth" not in report([alone], {})


def test_other_simulators_are_drawn_as_often_as_it_says():
    found = sim_to_real.others_than(REAL)
    assert {name: len(worlds) for name, worlds in found.items()} == {UNFITTED: 1, RANDOMISED: DRAWS}
    for worlds in found.values():
        with worlds[0]() as environment:
            (played_again,) = simulate([Key("wait", Tier.EASY, 3)], environment)
        assert played_again.backend == SIM
