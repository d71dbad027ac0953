"""Memory above rest and its rise as numbers: level at rest, sums of a line, where they end."""

import numpy as np
import pytest

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.rises import (
    ABOVE,
    BLANK_RISES,
    COUNT,
    ENDED,
    MEMORY_UNIT,
    PRODUCTS,
    READINGS,
    REST,
    RISE_COUNT,
    SLOPE,
    SQUARES,
    STEP,
    TIMES,
    advance_rises,
    of_services,
)
from tests.sre_autopilot.history.action_numbers import RESTART, ROLLBACK, SCALE_UP, WAIT

MEMORY = layout.METRIC_COLUMNS["memory_pct"]
AT_REST = (40.0, 41.0, 42.0, 43.0, 44.0, 45.0)
"""Of all services but the last one."""
REST_PCT = 43.0
LEAKING = layout.SERVICE_COUNT - 1
SLOPE_UNIT = MEMORY_UNIT / STEP


def row(step, reading, *, action=WAIT, service=LEAKING, refused=0.0):
    out = np.full((1, layout.FEATURE_COUNT), layout.MISSING, np.float32)
    out[0, MEMORY] = (*AT_REST, reading)
    out[0, layout.STEP_FEATURE], out[0, layout.REFUSED_FEATURE] = step, refused
    out[0, layout.ACTION_FEATURE], out[0, layout.SERVICE_FEATURE] = action, service
    return out


def after(*readings):
    rises = BLANK_RISES[None]
    for step, reading in enumerate(readings):
        rises = advance_rises(rises, row(step, reading))
    return rises[0]


def of_leaking(rises, number):
    return of_services(rises, number)[LEAKING]


def test_rest_is_the_middle_of_the_first_readings_and_stays():
    assert after(70.0)[REST] == REST_PCT * MEMORY_UNIT
    assert after(70.0, 20.0, 20.0)[REST] == REST_PCT * MEMORY_UNIT


def test_rest_is_the_lower_middle_of_those_that_came():
    assert after(layout.MISSING)[REST] == 42.0 * MEMORY_UNIT


def test_rest_is_nothing_where_no_reading_came():
    rows = row(0, layout.MISSING)
    rows[:, MEMORY] = layout.MISSING
    rises = advance_rises(BLANK_RISES[None], rows)
    assert rises.tobytes() == BLANK_RISES.tobytes()


def test_level_is_that_of_the_last_reading_above_rest():
    rises = after(70.0, layout.MISSING)
    assert of_leaking(rises, ABOVE) == (70.0 - REST_PCT) * MEMORY_UNIT
    assert of_services(rises, ABOVE)[0] == (AT_REST[0] - REST_PCT) * MEMORY_UNIT


def test_slope_is_that_of_a_straight_rise_from_rest():
    rises = after(*(REST_PCT + 2.0 * time for time in (1, 2, 3, 4)))
    assert of_leaking(rises, SLOPE) == pytest.approx(2.0 * SLOPE_UNIT)


def test_sums_leave_out_the_readings_that_did_not_come():
    rises = after(REST_PCT + 2.0, layout.MISSING, REST_PCT + 6.0)
    sums = [of_leaking(rises, number) for number in (COUNT, TIMES, SQUARES, READINGS, PRODUCTS)]
    expected = [2 * STEP, 4 * STEP, 10 * STEP**2, 8 * MEMORY_UNIT, 20 * STEP * MEMORY_UNIT]
    assert sums == pytest.approx(expected)


@pytest.mark.parametrize("action", [RESTART, ROLLBACK])
def test_sums_end_with_the_first_start_of_a_process(action):
    rises = after(REST_PCT + 2.0, REST_PCT + 4.0)[None]
    ended = advance_rises(rises, row(2, 10.0, action=action))
    ended = advance_rises(ended, row(3, 90.0))[0]
    for number in (COUNT, TIMES, SQUARES, READINGS, PRODUCTS, SLOPE):
        assert of_leaking(ended, number) == of_leaking(rises[0], number)
    assert of_leaking(ended, ABOVE) == (90.0 - REST_PCT) * MEMORY_UNIT
    assert of_services(ended, ENDED).tolist() == [0.0] * LEAKING + [1.0]
    assert of_services(ended, COUNT)[0] == 4 * STEP


@pytest.mark.parametrize("order", [{"action": RESTART, "refused": 1.0}, {"action": SCALE_UP}])
def test_sums_go_on_after_anything_else(order):
    rises = advance_rises(after(50.0)[None], row(1, 50.0, **order))
    assert of_leaking(rises[0], COUNT) == 2 * STEP


def test_an_episode_begins_anew_and_lanes_are_apart():
    before = np.concatenate([after(50.0, 60.0)[None]] * 2)
    both = advance_rises(before, np.concatenate([row(0, 44.0), row(2, 70.0)]))
    assert both.shape == (2, RISE_COUNT)
    assert both[0].tobytes() == after(44.0).tobytes()
    assert both[1].tobytes() == after(50.0, 60.0, 70.0).tobytes()
