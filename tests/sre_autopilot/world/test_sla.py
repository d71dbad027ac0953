"""When a window of calls meets the SLA, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_autopilot.world.sla import P99_LIMIT_MS, Calls, is_met

SLOW = P99_LIMIT_MS + 0.1
FINE = P99_LIMIT_MS


@pytest.mark.parametrize(
    ("calls", "met"),
    [
        pytest.param(Calls(0, 0, None, None), True, id="no calls"),
        pytest.param(Calls(20, 0, FINE, FINE), True, id="at the limit"),
        pytest.param(Calls(20, 0, SLOW, SLOW), False, id="slow"),
        pytest.param(Calls(6, 1, 500.0, 30.0), True, id="one time-out alone is forgiven"),
        pytest.param(Calls(1, 1, 500.0, None), True, id="even if it is the only call"),
        pytest.param(Calls(6, 1, 500.0, SLOW), False, id="but not slowness beside it"),
        pytest.param(Calls(6, 2, 500.0, 30.0), False, id="two are not"),
        pytest.param(Calls(20, 20, None, None), False, id="all refused"),
        pytest.param(Calls(200, 2, FINE, FINE), True, id="two of many are a low rate"),
        pytest.param(Calls(200, 2, SLOW, FINE), False, id="unless they bend the p99"),
        pytest.param(Calls(199, 2, FINE, FINE), False, id="just above the rate"),
    ],
)
def test_is_met(calls: Calls, met: bool) -> None:
    assert is_met(calls) is met


def test_error_rate_of_no_calls_is_unknown() -> None:
    assert Calls(0, 0, None, None).error_rate is None
    assert Calls(8, 2, FINE, FINE).error_rate == 0.25


@given(st.integers(1, 500), st.data())
def test_another_failure_never_mends_a_window(total: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, total - 1))
    p99_ms = data.draw(st.floats(1.0, 500.0))
    before = Calls(total, failed, p99_ms, p99_ms)
    after = Calls(total, failed + 1, p99_ms, p99_ms)
    assert is_met(before) or not is_met(after)
