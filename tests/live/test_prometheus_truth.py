"""What Prometheus records of an episode is what was true in its windows."""

import time
from collections.abc import Callable, Mapping
from statistics import mean
from typing import Any

import pytest

from deploy import recording_rules as rules
from sre_autopilot.evaluation.prometheus_client import Prometheus, Span
from sre_autopilot.world import signals
from sre_autopilot.world.stack import STEP_SECONDS, Part
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import BREAKER_STEPS, ActionName, Tier
from tests.live.conftest import BUILD_TIMEOUT_S
from tests.live.whole_stack import Game

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 300)]

BROKEN = Service.PAYMENT_GATEWAY
STEPS_BEFORE, STEPS_AFTER = 4, 10
SMEARED_S = float(rules.WINDOW.removesuffix("s"))
"""A sample of Prometheus is of that much time before it."""

Truth = list[Mapping[str, Any]]
"""Of one service: a window each."""


@pytest.fixture(scope="module")
def episode(game: Game) -> tuple[dict[Service, Truth], Span]:
    """A healthy episode in which callers stop calling one service, and when its windows were."""
    game.reset(Tier.CONTROL)
    began_s = time.time()
    truths: dict[Service, Truth] = {service: [] for service in Service}
    actions = [ActionName.WAIT] * STEPS_BEFORE + [ActionName.CIRCUIT_BREAK]
    for action in actions + [ActionName.WAIT] * (STEPS_AFTER + BREAKER_STEPS):
        game.step(action, BROKEN if action is ActionName.CIRCUIT_BREAK else None)
        url = f"{game.up.url(Part.ORCHESTRATOR)}/state"
        hidden = game.http.get(url).json()["hidden"]
        for service in Service:
            truths[service].append(hidden["true"][service])
    return truths, Span(began_s + SMEARED_S, time.time())


@pytest.fixture(scope="module")
def recorded(game: Game, episode: Any) -> Callable[[str], dict[Service, list[float]]]:
    """The values of a rule over the episode, by service."""
    _, span = episode

    def values(rule: str) -> dict[Service, list[float]]:
        with Prometheus(game.up.url(Part.PROMETHEUS)) as prometheus:
            return {
                Service(series.metric[signals.LABEL_SERVICE]): [v for _, v in series.values]
                for series in prometheus.range(rule, span)
                if series.metric[signals.LABEL_SERVICE] in set(Service)
            }

    return values


def averages(truths: dict[Service, Truth], name: str) -> dict[Service, float]:
    return {s: mean(w[name] for w in series if w[name] is not None) for s, series in truths.items()}


@pytest.mark.parametrize(
    "case", [(rules.MEMORY_PCT, "memory_pct", 3.0), (rules.CPU_PCT, "cpu_pct", 5.0)]
)
def test_memory_and_cpu_are_those_of_the_windows(episode, recorded, case) -> None:
    (truths, _), (rule, name, points) = episode, case
    series = {service: mean(values) for service, values in recorded(rule).items()}
    assert series == pytest.approx(averages(truths, name), abs=points)


def test_so_are_the_calls(episode, recorded) -> None:
    truths, _ = episode
    series = recorded(rules.calls())
    for service in set(Service) - {BROKEN}:
        a_second = mean(window["calls"] for window in truths[service]) / STEP_SECONDS
        assert mean(series[service]) / SMEARED_S == pytest.approx(a_second, rel=0.3), service


def test_latency_is_that_of_the_windows_but_for_their_length(episode, recorded) -> None:
    truths, _ = episode
    truth, series = averages(truths, "latency_p99"), recorded(rules.P99_MS)
    for service in set(Service) - {BROKEN}:
        # The worst of five seconds is seldom better, and seldom much worse, than that of a window.
        assert 0.6 < mean(series[service]) / truth[service] < 2.5, service


def test_an_open_breaker_is_an_error_in_both(episode, recorded) -> None:
    truths, _ = episode
    assert [w["error_rate"] for w in truths[BROKEN]].count(1.0) == BREAKER_STEPS
    errors, kept = recorded(rules.error_ratio()), recorded(rules.SLA)
    assert max(errors[BROKEN]) > 0.9
    broken_s = sum(value == 0.0 for value in kept[BROKEN])
    assert (
        BREAKER_STEPS * STEP_SECONDS - 1 <= broken_s <= BREAKER_STEPS * STEP_SECONDS + 2 * SMEARED_S
    )
    for service in set(Service) - {BROKEN}:
        assert max(errors[service]) < 0.1, service
