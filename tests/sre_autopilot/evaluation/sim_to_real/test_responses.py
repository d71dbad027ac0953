"""Responses are the series around an action."""

import numpy as np
import pytest

from sre_autopilot.evaluation.sim_to_real.responses import OFFSETS, responses
from sre_autopilot.evaluation.sim_to_real.windows import (
    Metric,
)
from sre_autopilot.simulator.calibration.recordings import COLUMNS
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName
from tests.sre_autopilot.evaluation.sim_to_real.recorded_worlds import DB, WAITS, recording


def test_response_is_the_series_around_the_action():
    recorded = recording(actions=(*WAITS[:3], (ActionName.RESTART, DB, True), *WAITS[4:]))
    response = responses([recorded])[ActionName.RESTART]
    assert response.times == 1
    course = recorded.true[2:11, list(Service).index(DB), COLUMNS.index("latency_p99")]
    assert response.means[Metric.LATENCY_P99] == pytest.approx(course)


def test_response_ends_with_the_episode():
    late = recording(actions=(*WAITS[:-1], (ActionName.SCALE_UP, DB, True)))
    means = responses([late])[ActionName.SCALE_UP].means[Metric.ERROR_RATE]
    assert [bool(np.isnan(mean)) for mean in means] == [offset > 0 for offset in OFFSETS]


def test_refused_actions_and_waits_have_no_response():
    refused = (ActionName.RESTART, DB, False)
    assert responses([recording(actions=(refused, *WAITS[1:]))]) == {}
