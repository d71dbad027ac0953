"""The pager's feed follows Prometheus' rules on what an agent sees, and says no more than that."""

from types import MappingProxyType

import pytest

from sre_autopilot.grading import read_episodes
from sre_autopilot.models import SREObservation
from sre_autopilot.pager import INCIDENT, pager_feed
from sre_autopilot.world.paging import BURNS, SHORT_STEPS, SLA_HELD_STEPS, Alert, Severity
from sre_autopilot.world.topology import ENTRY, Service
from tests.architecture.source import ROOT

EXAMPLE = ROOT / "docs/examples/episode.jsonl"
PAGING = next(burn for burn in BURNS if burn.severity is Severity.PAGE)


@pytest.fixture(scope="module")
def recorded():
    (record,) = read_episodes(EXAMPLE.read_text().splitlines())
    return [SREObservation.model_validate(step.observed) for step in record.steps]


@pytest.fixture
def episode(recorded):
    """Observations with these error rates of the users' calls, and these services out of SLA."""

    def make(rates, broken=MappingProxyType({})):
        observations = []
        for step, rate in enumerate(rates):
            observation = recorded[0].model_copy(deep=True, update={"step": step})
            observation.metrics[ENTRY].error_rate = rate
            for service in Service:
                observation.sla_status[service] = not (
                    service in broken and step in broken[service]
                )
            observations.append(observation)
        return observations

    return make


def burns(feed):
    return [
        (notice.severity, notice.step, notice.ended_at)
        for notice in feed
        if notice.alert == Alert.ERROR_BUDGET_BURN
    ]


def test_an_incident_begins_with_a_page_that_names_the_first_symptoms(episode):
    assert pager_feed([]) == ()
    (calm,) = pager_feed(episode([0.0]))
    assert (calm.step, calm.alert, calm.severity) == (0, INCIDENT, Severity.PAGE)
    assert "all SLAs are met" in calm.summary
    (alarmed,) = pager_feed(episode([0.0], {Service.USER_DB: {0}}))
    assert Service.USER_DB in alarmed.summary and Service.AUTH_SERVICE not in alarmed.summary


def test_errors_above_both_rates_page_and_end_with_the_short_window(episode):
    lost = 2 * PAGING.error_ratio
    feed = pager_feed(episode([lost] * 6 + [0.0] * 6))
    page, ticket = sorted(burns(feed))
    assert page == (Severity.PAGE, SHORT_STEPS - 1, 7)
    assert ticket[:2] == (Severity.TICKET, SHORT_STEPS - 1)


@pytest.mark.parametrize(
    "rates",
    [
        [],
        [0.0] * 10,
        [PAGING.error_ratio * 9],  # one window alone is an accident
        [0.0] * 9 + [PAGING.error_ratio * 9],  # the long window is below
        [None] * 10,
    ],
)
def test_errors_that_do_not_last_page_nobody(episode, rates):
    assert [notice for notice in burns(pager_feed(episode(rates))) if notice[0] == "page"] == []


def test_a_value_that_did_not_arrive_counts_in_no_mean(episode):
    lost = 2 * PAGING.error_ratio
    feed = burns(pager_feed(episode([lost, None, lost, None, None, None])))
    assert (Severity.PAGE, 2, 5) in feed


def test_a_service_out_of_its_sla_is_a_ticket_from_the_second_step_on(episode):
    held = set(range(2, 2 + SLA_HELD_STEPS + 1))
    feed = pager_feed(episode([0.0] * 8, {Service.USER_DB: held, Service.AUTH_SERVICE: {1, 4}}))
    (notice,) = [notice for notice in feed if notice.alert == Alert.SLA_BROKEN]
    assert (notice.service, notice.severity) == (Service.USER_DB, Severity.TICKET)
    assert (notice.step, notice.ended_at) == (1 + SLA_HELD_STEPS, 2 + SLA_HELD_STEPS + 1)
    assert Service.USER_DB in notice.summary


def test_a_feed_of_fewer_steps_is_the_beginning_of_the_longer_one(recorded):
    whole = pager_feed(recorded)
    assert [notice.step for notice in whole] == sorted(notice.step for notice in whole)
    for end in range(1, len(recorded) + 1):
        feed = {(n.step, n.alert, n.severity, n.service) for n in pager_feed(recorded[:end])}
        begun = [n for n in whole if n.step < end]
        assert feed == {(n.step, n.alert, n.severity, n.service) for n in begun}
