"""What holds for every episode, beside a plain second transcription of the formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_autopilot import grading
from sre_autopilot.grading import ActionRecord, EpisodeRecord, Score, grade
from sre_autopilot.world.topology import ENTRY
from sre_autopilot.world.vocabulary import ACTION_COSTS, MAX_STEPS, FaultKind
from tests.sre_autopilot.grading.episodes import (
    BREAK,
    DB,
    RESTART,
    WAIT,
    cured,
    did,
    episode,
    episodes,
    truth,
)


def _by_the_book(record: EpisodeRecord) -> float:
    """The page's formula, written down a second time and as plainly as can be."""
    faults = [f for f in record.faults if f.kind != FaultKind.NONE]
    acts = [
        (s.step, s.action)
        for s in record.steps
        if s.action is not None and s.action.accepted and s.action.action is not WAIT
    ]
    cured = [f for f in faults if f.cured_at is not None]
    recovered = next(
        (
            s.step
            for s in record.steps[1:]
            if faults
            and len(cured) == len(faults)
            and all(f.cured_at is not None and f.cured_at <= s.step for f in faults)
            and len(record.steps) > s.step + 2
            and all(record.steps[s.step + i].sla_met for i in range(3))
        ),
        None,
    )
    met = sum(
        sum(t.sla_met for t in s.true.values()) + s.true[ENTRY].sla_met for s in record.steps[1:]
    )
    saved = 8 * (31 - len(record.steps)) if recovered is not None else 0
    speed = 1.0 if not faults else 0.0 if recovered is None else max(0.0, 1 - recovered / 15)
    cost = sum(ACTION_COSTS[a.action] for _, a in acts)
    share = len(cured) / len(faults) if faults else 1.0
    budget = max(0.0, 1 - cost / 10) * (0.5 + 0.5 * share)
    roots = [f.root for f in faults]
    root_cause = (
        sum(1.0 if f.cured_by == f.cheap_cure else 0.2 for f in cured) / len(faults)
        if faults
        else 1.0
    )
    for step, act in acts:
        chance = any(
            f.kind == FaultKind.SINGLE_OOM
            and (f.root, act.action) == (act.service_id, RESTART)
            and (f.cured_at is None or step < f.cured_at)
            for f in faults
        )
        drains = act.action is BREAK and any(
            b.action is RESTART and b.service_id == act.service_id and b.cures
            for later, b in acts
            if later in (step + 1, step + 2)
        )
        if not faults:
            root_cause -= 0.25
        elif act.service_id not in roots:
            root_cause -= 0.35
        elif not (act.cures or chance or drains):
            root_cause -= 0.25
    return 0.01 + 0.98 * (
        0.30 * (met + saved) / 240 + 0.15 * speed + 0.15 * budget + 0.40 * max(0.0, root_cause)
    )


@given(episodes())
def test_a_score_follows_the_written_formula(record: EpisodeRecord) -> None:
    assert grade(record).total == pytest.approx(_by_the_book(record))


@given(episodes())
def test_a_score_is_inside_and_every_point_is_accounted_for(record: EpisodeRecord) -> None:
    score = grade(record)
    assert 0.01 <= score.total <= 0.99
    assert all(0.0 <= getattr(score, term) <= 1.0 for term in grading.WEIGHTS)
    assert all(points > 0.0 for points, _ in score.reasons)
    assert 0.99 - sum(points for points, _ in score.reasons) == pytest.approx(score.total)


def _with_action(record: EpisodeRecord, step: int, action: ActionRecord) -> EpisodeRecord:
    steps = list(record.steps)
    steps[step] = steps[step].model_copy(update={"action": action})
    return record.model_copy(update={"steps": tuple(steps)})


@given(episodes(), st.data())
def test_an_action_less_never_costs(record: EpisodeRecord, data: st.DataObject) -> None:
    idle = [s.step for s in record.steps[1:] if s.action is not None and not s.action.cures]
    if idle:
        less = _with_action(record, data.draw(st.sampled_from(idle)), did(WAIT))
        assert grade(less).total >= grade(record).total - 1e-12


@given(episodes(), st.data())
def test_a_better_window_never_costs(record: EpisodeRecord, data: st.DataObject) -> None:
    steps = list(record.steps)
    at = data.draw(st.integers(0, len(steps) - 1))
    steps[at] = steps[at].model_copy(update={"true": truth()})
    better = record.model_copy(update={"steps": tuple(steps)})
    assert grade(better).total >= grade(record).total - 1e-12


@given(st.integers(1, MAX_STEPS - 3))
def test_a_later_cure_is_never_better(at: int) -> None:
    def cured_at(step: int) -> Score:
        return grade(
            episode(actions={step: cured(RESTART, DB, step)}, missed=lambda s: [DB] * (s < step))
        )

    assert cured_at(at + 1).total < cured_at(at).total


@given(episodes())
def test_only_the_truth_counts(record: EpisodeRecord) -> None:
    steps = tuple(s.model_copy(update={"observed": {"reward": 0.99}}) for s in record.steps)
    changed = {"steps": steps, "policy": "another", "backend": "docker", "finished": False}
    assert grade(record.model_copy(update=changed)) == grade(record)
