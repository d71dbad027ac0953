"""Scores by the book, each term by its own test."""

from collections.abc import Sequence

import pytest

from sre_autopilot import grading
from sre_autopilot.grading import ActionRecord, FaultRecord, grade
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import SCALE_UP_STEPS, ActionName, FaultKind
from tests.sre_autopilot.grading.episodes import (
    AUTH,
    BREAK,
    DB,
    FLAP,
    LEAK,
    NOTHING,
    OOM,
    PAYMENT,
    RESTART,
    ROLLBACK,
    SCALE_UP,
    Actions,
    cured,
    did,
    episode,
    fault_record,
    root_cause,
)


def test_a_swift_cheap_cure_scores_nearly_all() -> None:
    score = grade(episode(actions={1: cured(RESTART, DB, 1)}, last=3))
    assert (score.sla, score.speed, score.root_cause) == (1.0, 1 - 1 / 15, 1.0)
    assert score.budget == pytest.approx(0.9)
    assert score.total == pytest.approx(0.01 + 0.98 * (0.30 + 0.15 * 14 / 15 + 0.15 * 0.9 + 0.40))
    assert (score.resolved, score.recovered_at) == (True, 1)


def test_waiting_through_an_outage_scores_little() -> None:
    score = grade(episode(missed=lambda step: list(Service)))
    assert (score.sla, score.speed, score.budget, score.root_cause) == (0.0, 0.0, 0.5, 0.0)
    assert score.total == pytest.approx(0.01 + 0.98 * 0.15 * 0.5)
    assert (score.resolved, score.recovered_at) == (False, None)


def test_sla_counts_the_gateway_twice_and_step_zero_not_at_all() -> None:
    one = grade(episode(missed=lambda step: [DB] if step in (0, 5, 6, 7) else []))
    assert one.sla == pytest.approx(1 - 3 / (30 * 8))
    gateway = grade(episode(missed=lambda step: [ENTRY] if step in (0, 5, 6, 7) else []))
    assert gateway.sla == pytest.approx(1 - 6 / (30 * 8))


def test_steps_saved_by_recovery_count_as_met() -> None:
    actions = {2: cured(RESTART, DB, 2)}
    early = grade(episode(actions=actions, missed=lambda step: [DB] * (step < 2), last=4))
    late = grade(episode(actions=actions, missed=lambda step: [DB] * (step < 2)))
    assert early.total == pytest.approx(late.total)


@pytest.mark.parametrize("faults", [(LEAK,), (NOTHING,)])
def test_steps_never_played_do_not(faults: Sequence[FaultRecord]) -> None:
    """Walking out of an episode saves nothing."""
    assert grade(episode(faults, last=6)).sla == pytest.approx(6 / 30)


def test_speed_runs_out_at_step_fifteen() -> None:
    speeds = [
        grade(episode(actions={at: cured(RESTART, DB, at)})).speed for at in (1, 5, 14, 15, 20)
    ]
    assert speeds == pytest.approx([14 / 15, 10 / 15, 1 / 15, 0.0, 0.0])


@pytest.mark.parametrize(
    ("cures", "cost", "expected"),
    [((), 0, 0.5), ((0,), 1, 0.9 * 0.75), ((0, 1), 2, 0.8), ((0, 1), 12, 0.0)],
)
def test_budget_is_what_is_left_by_the_share_cured(
    cures: tuple[int, ...], cost: int, expected: float
) -> None:
    faults = (LEAK, FLAP)
    roots = (DB, PAYMENT)
    actions = {1 + i: cured(RESTART, roots[i], 1 + i, fault=i) for i in cures}
    for step in range(10, 10 + cost - len(cures)):
        actions[step] = did(RESTART, DB)
    assert grade(episode(faults, actions)).budget == pytest.approx(expected)


def test_a_rollback_that_was_not_the_cheap_cure_is_worth_a_fifth() -> None:
    assert root_cause([LEAK], {3: cured(ROLLBACK, DB, 3)}) == pytest.approx(0.2)
    bad_rollout = fault_record(FaultKind.FLAPPING_NETWORK, PAYMENT, ROLLBACK)
    assert root_cause([bad_rollout], {3: cured(ROLLBACK, PAYMENT, 3)}) == 1.0


def test_root_cause_is_a_mean_over_the_faults() -> None:
    both = {1: cured(RESTART, DB, 1), 2: cured(ROLLBACK, PAYMENT, 2, fault=1)}
    assert root_cause([LEAK, FLAP], both) == pytest.approx(0.6)
    assert root_cause([LEAK, FLAP], {1: both[1]}) == pytest.approx(0.5)


@pytest.mark.parametrize("action", [RESTART, SCALE_UP, BREAK, ROLLBACK])
def test_touching_no_root_costs(action: ActionName) -> None:
    actions = {1: did(action, AUTH), 3: cured(RESTART, DB, 3)}
    assert root_cause([LEAK], actions) == pytest.approx(0.65)


@pytest.mark.parametrize("action", [RESTART, SCALE_UP, BREAK, ROLLBACK])
@pytest.mark.parametrize("fault", [LEAK, OOM])
def test_a_root_stays_a_root_and_more_on_it_is_ineffective(
    action: ActionName, fault: FaultRecord
) -> None:
    actions = {3: cured(RESTART, DB, 3), 9: did(action, DB)}
    assert root_cause([fault], actions) == pytest.approx(0.75)


def test_root_cause_does_not_fall_below_zero() -> None:
    actions = {step: did(BREAK, AUTH) for step in range(1, 9)}
    assert root_cause([LEAK], {**actions, 9: cured(RESTART, DB, 9)}) == 0.0


def test_a_failed_try_at_a_chancy_cure_is_excused() -> None:
    actions = {1: did(RESTART, DB), 2: did(RESTART, DB), 3: cured(RESTART, DB, 3)}
    assert root_cause([OOM], actions) == 1.0
    assert root_cause([LEAK], actions) == pytest.approx(0.5)


@pytest.mark.parametrize("action", [SCALE_UP, BREAK])
def test_a_chance_excuses_no_other_action(action: ActionName) -> None:
    actions = {1: did(action, DB), 5: cured(RESTART, DB, 5)}
    assert root_cause([OOM], actions) == pytest.approx(0.75)


def test_a_chance_excuses_no_other_service() -> None:
    actions = {1: did(RESTART, PAYMENT), 5: cured(RESTART, DB, 5)}
    assert root_cause([OOM, FLAP], actions) == pytest.approx(0.25)


@pytest.mark.parametrize(("restarted_at", "lost"), [(5, 0.0), (6, 0.0), (7, 0.25), (3, 0.25)])
def test_draining_before_the_restart_that_cures_is_excused(restarted_at: int, lost: float) -> None:
    actions = {4: did(BREAK, PAYMENT), restarted_at: cured(RESTART, PAYMENT, restarted_at)}
    assert root_cause([FLAP], actions) == pytest.approx(1.0 - lost)


@pytest.mark.parametrize(
    "then",
    [
        did(RESTART, PAYMENT),
        cured(SCALE_UP, PAYMENT, 5 + SCALE_UP_STEPS),
        cured(RESTART, DB, 5, fault=1),
    ],
    ids=["a restart that cures nothing", "another cure", "a cure elsewhere"],
)
def test_draining_before_anything_else_is_not(then: ActionRecord) -> None:
    flap = FLAP.model_copy(update={"cheap_cure": SCALE_UP})
    without = root_cause([flap, LEAK], {5: then, 8: cured(ROLLBACK, PAYMENT, 8)})
    drained = {4: did(BREAK, PAYMENT), 5: then, 8: cured(ROLLBACK, PAYMENT, 8)}
    assert root_cause([flap, LEAK], drained) == pytest.approx(max(0.0, without - 0.25))


def test_a_refused_action_is_a_wait() -> None:
    cure = {4: cured(RESTART, DB, 4)}
    refused = {1: did(ROLLBACK, AUTH, accepted=False, error="standby busy")}
    assert grade(episode(actions={**cure, **refused})) == grade(episode(actions=cure))


def test_a_cure_after_the_end_is_none() -> None:
    flap = FLAP.model_copy(update={"cheap_cure": SCALE_UP})
    late = {29: cured(SCALE_UP, PAYMENT, 29 + SCALE_UP_STEPS)}
    score = grade(episode([flap], late))
    assert (score.root_cause, score.resolved) == (0.0, False)
    assert score.budget == pytest.approx(0.8 * 0.5)


@pytest.mark.parametrize(("interventions", "root_cause"), [(0, 1.0), (1, 0.75), (4, 0.0), (6, 0.0)])
@pytest.mark.parametrize("faults", [(NOTHING,), ()], ids=["none", "empty"])
def test_control_is_left_alone(
    faults: Sequence[FaultRecord], interventions: int, root_cause: float
) -> None:
    actions = {1 + i: did(BREAK, AUTH) for i in range(interventions)}
    score = grade(episode(faults, actions))
    assert (score.root_cause, score.speed, score.sla) == (root_cause, 1.0, 1.0)
    assert score.budget == pytest.approx(1 - interventions / 10)
    assert (score.recovered_at, score.resolved) == (None, True)


# --- recovery ---------------------------------------------------------------------------------


def _recovered(
    faults: Sequence[FaultRecord], actions: Actions, missed: Sequence[int]
) -> int | None:
    record = episode(faults, actions, lambda step: [DB] * (step in missed))
    return grading.recovered_at(record.steps, record.faults)


@pytest.mark.parametrize(
    ("missed", "expected"),
    [((), 4), ((4,), 5), ((4, 6), 7), ((5, 8, 11), 12), (range(0, 31, 3), None), ((1, 2, 3), 4)],
)
def test_recovery_is_the_first_of_three_good_windows_after_the_cure(
    missed: Sequence[int], expected: int | None
) -> None:
    assert _recovered([LEAK], {4: cured(RESTART, DB, 4)}, missed) == expected


def test_recovery_waits_for_the_last_fault() -> None:
    one = {2: cured(RESTART, DB, 2)}
    assert _recovered([LEAK, FLAP], one, ()) is None
    both = {**one, 5: cured(SCALE_UP, PAYMENT, 5 + SCALE_UP_STEPS, fault=1)}
    assert _recovered([LEAK, FLAP], both, ()) == 5 + SCALE_UP_STEPS


def test_recovery_needs_its_three_windows_to_have_been() -> None:
    record = episode([LEAK], {4: cured(RESTART, DB, 4)}, last=6)
    recoveries = [grading.recovered_at(record.steps[:n], record.faults) for n in range(8)]
    assert recoveries == [None] * 7 + [4]


def test_nothing_recovers_where_nothing_is_wrong() -> None:
    assert _recovered([NOTHING], {}, ()) is None
    assert _recovered([], {}, ()) is None


def test_the_window_of_reset_is_no_recovery() -> None:
    assert _recovered([LEAK], {1: cured(RESTART, DB, 0)}, ()) == 1
