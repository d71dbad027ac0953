"""The log of refusals is bounded, and says what it leaves out."""

import logging

import pytest

from orchestrator.broker.refusal_log import LINES_PER_MINUTE, MINUTE_S, RefusalLog


def test_refusals_by_the_hundred_write_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = RefusalLog(lambda: now[0])
    with caplog.at_level(logging.WARNING):
        for _ in range(300):
            refusals.refused("bad_body", "POST", "/containers/x/restart", "body: no")
        assert len(caplog.records) == LINES_PER_MINUTE
        refusals.refused("unknown_verb", "POST", "/containers/x/kill", "unknown verb")
        assert len(caplog.records) == LINES_PER_MINUTE + 1, "other reasons have lines of their own"
        now[0] += MINUTE_S
        refusals.refused("bad_body", "POST", "/containers/x/restart", "body: no")
    last = [record.getMessage() for record in caplog.records[-2:]]
    assert last[0] == f"refused reason=bad_body left_out={300 - LINES_PER_MINUTE}"
    assert last[1].startswith("refused reason=bad_body method=POST path='/containers/x/restart'")


def test_a_line_is_one_line_whatever_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog().refused("unknown_path", "GET", "/a\nINFO carried out", "x" * 9000)
    (record,) = caplog.records
    assert "\n" not in record.getMessage() and len(record.getMessage()) < 600
