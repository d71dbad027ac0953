"""Bursts of the payment gateway as numbers: means apart, rhythm, and windows that are not read."""

import numpy as np
import pytest

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.bursts import (
    AHEAD_FROM,
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
    OWN,
    P99,
    P99_UNIT,
    PERIOD,
    QUIET_MEAN,
    QUIETS,
    READ,
    SINCE_BEGIN,
    SPANS,
    STEP,
    TIMES,
    UNREADABLE,
    WINDOW,
    advance_bursts,
)
from sre_autopilot.models import ServiceMetrics
from sre_autopilot.world.vocabulary import BREAKER_STEPS, MAX_LAG_STEPS, ActionName

WAIT, RESTART, SCALE_UP = map(
    list(ActionName).index, (ActionName.WAIT, ActionName.RESTART, ActionName.SCALE_UP)
)
QUIET, LOST = 0.0, 0.5
SPANS_P99_MS = 64.0


def row(
    step, error_rate, cpu_pct=8.0, *, spans=layout.MISSING, action=WAIT, service=GATEWAY, refused=0
):
    out = np.full((1, layout.FEATURE_COUNT + layout.SPAN_COUNT), layout.MISSING, np.float32)
    readings = {"error_rate": error_rate, "cpu_pct": cpu_pct}
    for place, name in enumerate(ServiceMetrics.model_fields):
        out[0, place * layout.SERVICE_COUNT + GATEWAY] = readings.get(name, layout.MISSING)
    out[0, SPANS.error_rate] = spans
    out[0, SPANS.readings[0][0]] = SPANS_P99_MS
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
    places = [view.begin + SINCE_BEGIN for view in (OWN, SPANS)]
    assert BLANK_BURSTS.nonzero()[0].tolist() == places
    assert (BLANK_BURSTS[places] == NEVER).all()


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


def of_two_views(own, spans):
    bursts = BLANK_BURSTS[None]
    for step, rates in enumerate(zip(own, spans, strict=True)):
        bursts = advance_bursts(bursts, row(step, rates[0], spans=rates[1]))
    return bursts[0]


def test_spans_are_a_view_of_their_own():
    of_spans = of_two_views([QUIET] * 3, [QUIET, LOST, 0.7])[SPANS.begin : SPANS.end]
    assert of_spans[ERRORS] == 2 * WINDOW
    assert of_spans[ERROR_MEAN] == pytest.approx(0.6)
    assert of_spans[LENGTH] == 2 * STEP
    assert of_spans[P99 + BURST_MEAN] == SPANS_P99_MS * P99_UNIT
    assert of_spans[P99 + QUIETS] == WINDOW


@pytest.mark.parametrize("ahead", range(-MAX_LAG_STEPS, MAX_LAG_STEPS + 1))
def test_steps_that_spans_are_ahead_are_counted_by_bursts(ahead):
    rates = np.full((2, 12), QUIET)
    for begin in (2, 8):
        rates[0, begin + max(ahead, 0)] = rates[1, begin + max(-ahead, 0)] = LOST
    counts = of_two_views(*rates)[AHEAD_FROM:UNREADABLE].tolist()
    expected = [0.0] * (2 * MAX_LAG_STEPS + 1)
    expected[MAX_LAG_STEPS + ahead] = 2 * STEP
    assert counts == expected


def test_bursts_that_are_far_apart_say_nothing_of_how_late_a_view_is():
    bursts = of_two_views([LOST, *[QUIET] * 4], [*[QUIET] * 4, LOST])
    assert not bursts[AHEAD_FROM:UNREADABLE].any()
