"""Every query of every panel and variable has data in Prometheus during an episode."""

import time
from collections.abc import Iterator

import pytest

from deploy.dashboards import SERVICE, SESSION, dashboards
from sre_autopilot.evaluation.prometheus_client import Prometheus, Span
from sre_autopilot.world import signals
from sre_autopilot.world.stack import Part
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.live.conftest import BUILD_TIMEOUT_S
from tests.live.whole_stack import Game

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 300)]

STEPS = 12
ACTED_ON = Service.USER_DB
QUERIES = [
    pytest.param(target["expr"], id=f"{name}: {panel['title']}: {target['legendFormat']}")
    for name, dashboard in dashboards().items()
    for panel in dashboard["panels"]
    for target in panel["targets"]
]
NOTES = dashboards()["episode.json"]["annotations"]["list"]


@pytest.fixture(scope="module")
def episode(game: Game) -> Iterator[tuple[Prometheus, Span, str]]:
    """A Prometheus, the time of an episode with an action in it, and its session."""
    began_s = time.time()
    game.reset(Tier.MEDIUM)
    for step in range(STEPS):
        acts = step == STEPS // 3
        game.step(ActionName.RESTART if acts else ActionName.WAIT, ACTED_ON if acts else None)
    with Prometheus(game.up.url(Part.PROMETHEUS)) as prometheus:
        (step_series,) = prometheus.instant(signals.EPISODE_STEP)
        session = step_series.metric[signals.LABEL_SESSION]
        yield prometheus, Span(began_s, time.time()), session


@pytest.mark.parametrize("expr", QUERIES)
def test_a_panel_has_data_during_an_episode(episode, expr) -> None:
    prometheus, span, session = episode
    asked = expr.replace(SERVICE, Service.USER_DB).replace(SESSION, session)
    series = prometheus.range(asked, span)
    assert series, asked
    assert all(each.values for each in series)


def test_the_action_and_the_beginning_of_the_episode_are_annotated(episode) -> None:
    prometheus, span, _session = episode
    titles = {
        note["name"]: [series.metric for series in prometheus.range(note["expr"], span)]
        for note in NOTES
    }
    assert {"action": ActionName.RESTART, "service": ACTED_ON}.items() <= titles["Actions"][
        0
    ].items()
    assert titles["Episodes"]


def test_every_variable_has_values(episode) -> None:
    prometheus, _span, session = episode
    for dashboard in dashboards().values():
        for variable in dashboard["templating"]["list"]:
            series, _, label = (
                variable["definition"].removeprefix("label_values(")[:-1].partition(", ")
            )
            values = {sample.metric[label] for sample in prometheus.instant(series)}
            assert values >= ({session} if label == signals.LABEL_SESSION else set(Service))
