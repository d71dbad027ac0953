"""Bursts of the payment gateway as numbers: means apart, rhythm, and windows that are not read."""

import numpy as np
import pytest

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.bursts import (
    APART,
    BLANK_BURSTS,
    BURST,
    BURST_COUNT,
    BURST_MEAN,
    BURSTS,
    CPU,
    CPU_UNIT,
    ERROR_MEAN,
    ERRORS,
    GATEWAY,
    LENGTH,
    NEVER,
    P99,
    PERIOD,
    QUIET_MEAN,
    QUIETS,
    READ,
    SINCE_BEGIN,
    STEP,
    TIMES,
    UNREADABLE,
    WINDOW,
    advance_bursts,
)
from sre_autopilot.models import ServiceMetrics
from sre_autopilot.world.vocabulary import BREAKER_STEPS, ActionName

WAIT, RESTART, SCALE_UP = map(
    list(ActionName).index, (ActionName.WAIT, ActionName.RESTART, ActionName.SCALE_UP)
)
QUIET, LOST = 0.0, 0.5


def row(step, error_rate, cpu_pct=8.0, *, action=WAIT, service=GATEWAY, refused=0.0):
    out = np.full((1, layout.FEATURE_COUNT), layout.MISSING, np.float32)
    readings = {"error_rate": error_rate, "cpu_pct": cpu_pct}
    for place, name in enumerate(ServiceMetrics.model_fields):
        out[0, place * layout.SERVICE_COUNT + GATEWAY] = readings.get(name, layout.MISSING)
    out[0, layout.STEP_FEATURE], out[0, layout.REFUSED_FEATURE] = step, refused
    out[0, layout.ACTION_FEATURE], out[0, layout.SERVICE_FEATURE] = action, service
    return out


def after(*error_rates, cpu_pct=lambda error_rate: 8.0):
    bursts = BLANK_BURSTS[None]
    for step, error_rate in enumerate(error_rates):
        bursts = advance_bursts(bursts, row(step, error_rate, cpu_pct(error_rate)))
    return bursts[0]


def test_nothing_is_read_before_the_first_row():
    assert BLANK_BURSTS.shape == (BURST_COUNT,)
    assert BLANK_BURSTS.nonzero()[0].tolist() == [SINCE_BEGIN]
    assert BLANK_BURSTS[SINCE_BEGIN] == NEVER


def test_windows_with_and_without_loss_are_counted_apart():
    bursts = after(QUIET, QUIET, LOST, 0.7, QUIET)
    assert bursts[ERRORS] == bursts[CPU + BURSTS] == 2 * WINDOW
    assert bursts[CPU + QUIETS] == 3 * WINDOW
    assert bursts[ERROR_MEAN] == pytest.approx(0.6)
    assert bursts[READ] == 1.0


def test_means_of_cpu_and_how_far_they_are_apart():
    bursts = after(QUIET, LOST, QUIET, LOST, cpu_pct=lambda rate: 24.0 if rate > QUIET else 8.0)
    assert bursts[CPU + BURST_MEAN] == 24.0 * CPU_UNIT
    assert bursts[CPU + QUIET_MEAN] == 8.0 * CPU_UNIT
    weight = 2 * WINDOW * 2 * WINDOW / (4 * WINDOW)
    assert bursts[CPU + APART] == pytest.approx(16.0 * CPU_UNIT * weight**0.5)


def test_means_are_not_apart_before_there_are_two_of_them():
    assert after(QUIET, QUIET)[CPU + APART] == 0.0
    assert after(LOST, LOST)[CPU + APART] == 0.0


def test_reading_that_did_not_come_is_in_no_mean():
    bursts = after(QUIET, LOST, cpu_pct=lambda _: layout.MISSING)
    assert bursts[CPU + BURSTS] == bursts[CPU + QUIETS] == bursts[P99 + QUIETS] == 0.0
    assert bursts[ERRORS] == WINDOW


def test_rhythm_is_when_bursts_began_and_how_long_they_were():
    bursts = after(QUIET, LOST, LOST, QUIET, QUIET, LOST, QUIET)
    assert bursts[PERIOD] == 4 * STEP
    assert bursts[LENGTH] == STEP
    assert bursts[SINCE_BEGIN] == STEP
    assert bursts[TIMES] == 2 * STEP
    assert bursts[BURST] == 0.0


def test_first_burst_has_no_period():
    bursts = after(QUIET, LOST, LOST)
    assert bursts[PERIOD] == 0.0
    assert bursts[LENGTH] == 2 * STEP
    assert bursts[BURST] == 1.0


def test_window_whose_error_rate_was_lost_changes_no_rhythm():
    bursts = after(QUIET, LOST, layout.MISSING, LOST)
    assert bursts[TIMES] == STEP
    assert bursts[LENGTH] == 2 * STEP


def test_windows_behind_a_restart_of_the_gateway_are_not_read():
    bursts = advance_bursts(BLANK_BURSTS[None], row(0, QUIET))
    bursts = advance_bursts(bursts, row(1, LOST, action=RESTART))
    steps = 0
    while bursts[0, UNREADABLE] > 0.0:
        assert bursts[0, READ] == bursts[0, ERRORS] == 0.0
        steps += 1
        bursts = advance_bursts(bursts, row(1 + steps, LOST))
    assert steps > BREAKER_STEPS
    assert bursts[0, ERRORS] == WINDOW


@pytest.mark.parametrize(
    "order",
    [
        {"action": RESTART, "service": GATEWAY + 1},
        {"action": RESTART, "refused": 1.0},
        {"action": SCALE_UP},
    ],
)
def test_windows_behind_anything_else_are_read(order):
    bursts = advance_bursts(BLANK_BURSTS[None], row(0, QUIET))
    assert advance_bursts(bursts, row(1, LOST, **order))[0, READ] == 1.0


def test_an_episode_begins_anew_and_lanes_are_apart():
    before = np.concatenate([after(QUIET, LOST)[None]] * 2)
    rows = np.concatenate([row(0, QUIET), row(2, LOST)])
    both = advance_bursts(before, rows)
    assert both[0].tobytes() == after(QUIET).tobytes()
    assert both[1].tobytes() == after(QUIET, LOST, LOST).tobytes()
