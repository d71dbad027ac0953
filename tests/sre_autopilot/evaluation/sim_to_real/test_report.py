"""The report names every failure, and its pictures show both worlds."""

import re
from dataclasses import replace

import numpy as np

from sre_autopilot.evaluation.plots.sim_to_real import (
    draw_policies,
    draw_responses,
    draw_windows,
)
from sre_autopilot.evaluation.sim_to_real.ablation import UNFITTED
from sre_autopilot.evaluation.sim_to_real.report import failures, report
from sre_autopilot.evaluation.sim_to_real.responses import OFFSETS
from sre_autopilot.evaluation.sim_to_real.run import compare
from sre_autopilot.evaluation.sim_to_real.windows import (
    CAUSES,
    Metric,
)
from sre_autopilot.world.vocabulary import ActionName
from tests.sre_autopilot.evaluation.sim_to_real.recorded_worlds import (
    DB,
    WAITS,
    bent,
    played,
    real_world,
)


def test_failures_are_listed(real, sim):
    slow = [bent(one, "latency_p99", 3.0) for one in sim]
    comparison = compare(real_world(real, fit=real), played(slow))
    share, fitted, *cells = failures(comparison)
    assert share.startswith("6 of 24 cells of held-out seeds")
    assert fitted.startswith("6 of 24 cells of the seeds that were fitted")
    assert len(cells) == 6
    assert all(Metric.LATENCY_P99 in cell for cell in cells)


def test_every_table_has_a_cell_for_every_column(real, sim):
    acted = [replace(r, actions=((ActionName.RESTART, DB, True), *WAITS[1:])) for r in real]
    others = {UNFITTED: [played(sim)]}
    text = report([compare(real_world(acted, fit=acted), played(sim), others)], {})
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(tables) == 6
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "nan" not in text
    assert text.isascii()


def test_failing_cell_is_tinted_and_both_worlds_are_drawn(real, sim):
    slow = [bent(one, "latency_p99", 3.0) for one in sim]
    panels = draw_windows(compare(real_world(real), played(slow))).axes
    assert len(panels) == len(Metric) * len(CAUSES)
    tinted = {panel.get_facecolor() for panel in panels[: len(CAUSES)]}
    assert tinted.isdisjoint({panel.get_facecolor() for panel in panels[len(CAUSES) :]})
    assert {len(panel.get_lines()) for panel in panels} == {2}


def test_responses_of_both_worlds_are_drawn_by_action(real, sim):
    restarts = ((ActionName.RESTART, DB, True), *WAITS[1:])
    acted = [replace(one, actions=restarts) for one in real]
    panels = draw_responses(compare(real_world(acted), played(sim))).axes
    assert [panel.get_title() for panel in panels[:1]] == [ActionName.RESTART]
    means = [line for line in panels[0].get_lines() if np.size(line.get_xdata()) == len(OFFSETS)]
    assert len(means) == 1, "the simulated episodes only wait"


def test_every_policy_is_named_in_the_scatter(real, sim):
    pooled, by_tier = draw_policies(compare(real_world(real), played(sim))).axes
    assert {text.get_text() for text in pooled.texts} == {"wait", "random"}
    assert len(by_tier.containers) == 4 * len(pooled.containers), "of four tiers"
