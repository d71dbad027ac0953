"""The rule by which a window is contended, and an episode valid, contended, broken or unknown."""

from typing import Any

import pytest

from sre_autopilot.grading import (
    UNCONTENDED,
    HostFigures,
    StepRecord,
    Verdict,
    contention,
    validity_of,
)
from sre_autopilot.grading.validity import (
    CONTENDED_WINDOWS_SHARE,
    LATENESS_LIMIT_MS,
    STOLEN_LIMIT,
)
from tests.sre_autopilot.grading.episodes import DB, truth

BUSY = HostFigures(window_ms=500.0, lateness_p99_ms=LATENESS_LIMIT_MS + 1.0)
WINDOWS = 20


def window(step: int, host: HostFigures | None, *, met: bool = True) -> StepRecord:
    return StepRecord(
        step=step,
        action=None,
        true=truth(() if met else (DB,)),
        host=host,
        contended=None if host is None else bool(contention(host)),
    )


def windows(busy: int, total: int = WINDOWS) -> list[StepRecord]:
    """`total` windows, the first `busy` of them contended."""
    return [window(step, BUSY if step < busy else UNCONTENDED) for step in range(total)]


def figures(**of_the_window: Any) -> HostFigures:
    return HostFigures(window_ms=500.0, **of_the_window)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (
            figures(run_queue_wait_ms={"a-0": 2.0, "b-0": 201.0, "c-0": 3.0}),
            "b-0 waited 201 ms for a CPU (limit 200)",
        ),
        (
            figures(orchestrator_wait_ms=51.0),
            "the orchestrator waited 51 ms for a CPU (limit 50)",
        ),
        (figures(overshoot_ms=51.0), "the window ended 51 ms late (limit 50)"),
        (figures(lateness_p99_ms=51.0), "the users were 51 ms late (limit 50)"),
        (figures(stolen_ratio=0.3), "30% of the machine went to others (limit 25%)"),
    ],
)
def test_each_figure_above_its_limit_is_a_reason(host: HostFigures, reason: str) -> None:
    assert contention(host) == (reason,)


@pytest.mark.parametrize(
    "host",
    [
        UNCONTENDED,
        figures(),
        figures(run_queue_wait_ms={"a-0": 200.0}),
        figures(orchestrator_wait_ms=50.0, overshoot_ms=50.0),
        figures(lateness_p99_ms=LATENESS_LIMIT_MS, stolen_ratio=STOLEN_LIMIT),
    ],
)
def test_figures_up_to_their_limits_are_no_reason(host: HostFigures) -> None:
    assert contention(host) == ()


def test_a_longer_window_allows_longer_waits() -> None:
    waits = {"a-0": 500.0}
    assert contention(HostFigures(window_ms=1500.0, run_queue_wait_ms=waits)) == ()
    assert contention(HostFigures(window_ms=1000.0, run_queue_wait_ms=waits))


def test_every_reason_of_a_window_is_named() -> None:
    over = figures(lateness_p99_ms=900.0, overshoot_ms=800.0, orchestrator_wait_ms=700.0)
    assert len(contention(over)) == 3


def test_an_episode_is_valid_up_to_a_share_of_contended_windows() -> None:
    allowed = int(CONTENDED_WINDOWS_SHARE * WINDOWS)
    assert validity_of(windows(0)).verdict is Verdict.VALID
    valid = validity_of(windows(allowed))
    assert (valid.verdict, valid.reasons, valid.counts) == (Verdict.VALID, (), True)
    assert (valid.contended_windows, valid.windows) == (allowed, WINDOWS)
    contended = validity_of(windows(allowed + 1))
    assert (contended.verdict, contended.counts) == (Verdict.CONTENDED, False)


def test_a_contended_episode_says_which_windows_and_why() -> None:
    steps = [window(0, UNCONTENDED), window(1, BUSY, met=False), window(2, BUSY)]
    count, missed, *each = validity_of(steps).reasons
    assert count == "the machine was too busy in 2 of 3 windows"
    assert missed == "the SLA was missed in 1 of them"
    assert each == [f"step {step}: {contention(BUSY)[0]}" for step in (1, 2)]


def test_a_problem_makes_any_episode_broken() -> None:
    for steps in ([], windows(0), windows(WINDOWS)):
        validity = validity_of(steps, ["the folder is gone"])
        assert (validity.verdict, validity.counts) == (Verdict.BROKEN, False)
        assert validity.reasons == ("the folder is gone",)


def test_an_episode_without_figures_is_unknown_and_counts() -> None:
    for steps in ([], [window(0, None), window(1, None, met=False)]):
        validity = validity_of(steps)
        assert (validity.verdict, validity.windows) == (Verdict.UNKNOWN, 0)
        assert validity.counts and "nothing was measured" in validity.text


def test_windows_without_figures_are_left_out_of_the_share() -> None:
    steps = [window(0, BUSY), *(window(step, None) for step in range(1, WINDOWS))]
    validity = validity_of(steps)
    assert (validity.verdict, validity.windows) == (Verdict.CONTENDED, 1)
