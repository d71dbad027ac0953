"""A short run of the fuzzer; `make fuzz` makes a long one."""

from tests.server.fuzz import SLOW_S, fuzz

REQUESTS, SEED = 300, 7


def test_no_request_and_no_message_breaks_the_server():
    report = fuzz(REQUESTS, SEED)
    assert not report.wrong, "\n".join(report.wrong)
    assert sum(report.statuses.values()) >= REQUESTS
    assert report.slowest_s < SLOW_S
