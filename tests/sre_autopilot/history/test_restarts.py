"""Memory since a restart by the agent: from its silent window on, or when it must have arrived."""

import numpy as np
import pytest

from sre_autopilot.history import row_layout as layout
from sre_autopilot.history.restarts import (
    ABOVE,
    ANSWERS_NOTHING_ABOVE,
    ARRIVED_FOR,
    BLANK_RESTARTS,
    READINGS,
    RESTART_COUNT,
    SINCE,
    STEP,
    advance_restarts,
)
from sre_autopilot.history.rises import of_services
from sre_autopilot.world.vocabulary import MAX_LAG_STEPS
from tests.sre_autopilot.history.action_numbers import RESTART, ROLLBACK, SCALE_UP, WAIT

SERVICE, OTHER = 2, 3
ERRORS, MEMORY = (layout.METRIC_COLUMNS[name].start for name in ("error_rate", "memory_pct"))
QUIET, SILENT = 0.0, 1.0
BEFORE, AFTER = 0.75, 0.25
"""Memory above rest."""


def row(step, *, errors=QUIET, came=True, action=WAIT, service=SERVICE, refused=0.0):
    out = np.zeros((1, layout.FEATURE_COUNT), np.float32)
    out[0, ERRORS + SERVICE] = errors
    out[0, MEMORY + SERVICE] = 40.0 if came else layout.MISSING
    out[0, layout.STEP_FEATURE], out[0, layout.REFUSED_FEATURE] = step, refused
    out[0, layout.ACTION_FEATURE], out[0, layout.SERVICE_FEATURE] = action, service
    return out


def above(of_service):
    out = np.full((1, layout.SERVICE_COUNT), 0.5, np.float32)
    out[0, SERVICE] = of_service
    return out


def after(*steps):
    """steps: (row, memory above rest)."""
    restarts = BLANK_RESTARTS[None]
    for of_step, memory in steps:
        restarts = advance_restarts(restarts, of_step, above(memory))
    return restarts


def of_service(restarts, service=SERVICE):
    numbers = (SINCE, ARRIVED_FOR, ABOVE, READINGS)
    return [float(of_services(restarts, number)[0, service]) for number in numbers]


def test_nothing_is_known_without_a_restart():
    restarts = after((row(0), BEFORE), (row(1, errors=SILENT), BEFORE))
    assert restarts.shape == (1, RESTART_COUNT)
    assert not restarts.any()


@pytest.mark.parametrize("action", [RESTART, ROLLBACK])
def test_memory_counts_from_the_window_in_which_the_service_is_silent(action):
    order = (row(1, action=action), BEFORE)
    assert of_service(after(order)) == [STEP, 0.0, 0.0, 0.0]
    silent = (row(2, errors=SILENT), AFTER)
    assert of_service(after(order, silent)) == [2 * STEP, STEP, AFTER, STEP]
    later = (row(3), 0.0)
    assert of_service(after(order, silent, later)) == [3 * STEP, 2 * STEP, 0.0, 2 * STEP]
    assert of_service(after(order, silent, later), OTHER) == [0.0] * 4


def test_telemetry_without_lag_shows_the_restart_at_once():
    assert of_service(after((row(1, errors=SILENT, action=RESTART), AFTER))) == (
        [STEP, STEP, AFTER, STEP]
    )


def test_memory_counts_once_telemetry_cannot_be_of_before():
    waits = [(row(2 + wait), AFTER) for wait in range(MAX_LAG_STEPS)]
    order = (row(1, action=RESTART), BEFORE)
    assert of_service(after(order, *waits[:-1])) == [MAX_LAG_STEPS * STEP, 0.0, 0.0, 0.0]
    assert of_service(after(order, *waits)) == [(1 + MAX_LAG_STEPS) * STEP, STEP, AFTER, STEP]


def test_a_reading_that_did_not_come_leaves_the_last_one():
    steps = [
        (row(1, errors=SILENT, action=RESTART), AFTER),
        (row(2, came=False), AFTER),
    ]
    assert of_service(after(*steps)) == [2 * STEP, 2 * STEP, AFTER, STEP]


def test_the_next_restart_begins_anew():
    steps = [(row(1, errors=SILENT, action=RESTART), BEFORE), (row(2, action=RESTART), BEFORE)]
    assert of_service(after(*steps)) == [STEP, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("order", [{"action": RESTART, "refused": 1.0}, {"action": SCALE_UP}])
def test_anything_else_begins_nothing(order):
    assert not after((row(1, errors=SILENT, **order), AFTER)).any()


def test_some_errors_are_no_silence():
    steps = [(row(1, action=RESTART), BEFORE), (row(2, errors=ANSWERS_NOTHING_ABOVE), AFTER)]
    assert of_service(after(*steps)) == [2 * STEP, 0.0, 0.0, 0.0]


def test_an_episode_begins_anew_and_lanes_are_apart():
    earlier = after((row(1, errors=SILENT, action=RESTART), AFTER))
    rows = np.concatenate([row(0), row(2)])
    both = advance_restarts(np.tile(earlier, (2, 1)), rows, np.tile(above(AFTER), (2, 1)))
    assert not both[0].any()
    assert of_service(both[1:]) == [2 * STEP, 2 * STEP, AFTER, 2 * STEP]
