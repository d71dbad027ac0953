"""Sums of p99, of services and of the calls between them, and where the sums end."""

import numpy as np
import pytest

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.slowdowns import (
    BLANK_SLOWDOWNS,
    CAP,
    EDGE_COUNT,
    ENDED,
    P99_UNIT,
    PRODUCTS,
    READINGS,
    SEEN_COUNT,
    SLOWDOWN_COUNT,
    STEP,
    SUM,
    advance_slowdowns,
)
from tests.sre_autopilot.history.action_numbers import SCALE_UP, WAIT

SERVICE, EDGE = 4, 2
P99_OF_SERVICE = layout.METRIC_COLUMNS["latency_p99"].start + SERVICE
P99_OF_EDGE = layout.FEATURE_COUNT + layout.SPAN_FIELDS.index("latency_p99") * EDGE_COUNT + EDGE
PLACES = [SERVICE, layout.SERVICE_COUNT + EDGE]


def row(step, of_service, of_edge=layout.MISSING, *, action=WAIT, refused=0.0):
    out = np.full((1, layout.FEATURE_COUNT + layout.SPAN_COUNT), layout.MISSING, np.float32)
    out[0, P99_OF_SERVICE], out[0, P99_OF_EDGE] = of_service, of_edge
    out[0, layout.STEP_FEATURE], out[0, layout.REFUSED_FEATURE] = step, refused
    out[0, layout.ACTION_FEATURE], out[0, layout.SERVICE_FEATURE] = action, 0
    return out


def after(*rows):
    slowdowns = BLANK_SLOWDOWNS[None]
    for of_step in rows:
        slowdowns = advance_slowdowns(slowdowns, of_step)
    return slowdowns[0]


def sums(slowdowns, place):
    return [float(slowdowns[number * SEEN_COUNT + place]) for number in (READINGS, SUM, PRODUCTS)]


@pytest.mark.parametrize("place", PLACES)
def test_sums_are_of_the_readings_that_came(place):
    slowdowns = after(
        row(0, 16.0, 16.0),
        row(1, layout.MISSING, layout.MISSING),
        row(2, 32.0, 32.0),
    )
    unit = P99_UNIT * STEP
    assert sums(slowdowns, place) == [2 * STEP, 48 * unit, (1 * 16 + 3 * 32) * unit * STEP]
    others = np.delete(slowdowns[:SEEN_COUNT], PLACES)
    assert not others.any()


@pytest.mark.parametrize("place", PLACES)
def test_an_outlier_counts_up_to_the_cap(place):
    assert sums(after(row(0, 1000.0, 1000.0)), place) == [STEP, CAP * STEP, CAP * STEP * STEP]


@pytest.mark.parametrize("place", PLACES)
def test_sums_end_with_the_first_thing_done(place):
    before = [row(0, 16.0, 16.0), row(1, 16.0, 16.0)]
    ended = after(*before, row(2, 48.0, 48.0, action=SCALE_UP), row(3, 48.0, 48.0))
    assert sums(ended, place) == sums(after(*before), place)
    assert ended[ENDED] == 1.0


def test_sums_go_on_after_what_was_refused():
    slowdowns = after(row(0, 16.0), row(1, 16.0, action=SCALE_UP, refused=1.0))
    assert sums(slowdowns, SERVICE)[0] == 2 * STEP
    assert slowdowns[ENDED] == 0.0


def test_an_episode_begins_anew_and_lanes_are_apart():
    earlier = after(row(0, 32.0, 32.0), row(1, 32.0, 32.0, action=SCALE_UP))
    both = advance_slowdowns(
        np.tile(earlier, (2, 1)), np.concatenate([row(0, 16.0, 16.0), row(2, 16.0, 16.0)])
    )
    assert both.shape == (2, SLOWDOWN_COUNT)
    assert both[0].tobytes() == after(row(0, 16.0, 16.0)).tobytes()
    assert sums(both[1], SERVICE) == sums(earlier, SERVICE)
