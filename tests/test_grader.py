"""The grader: its formula by the book, its properties, its file, its command line."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import grader
from grader import ActionRecord, EpisodeRecord, FaultStory, Score, StepRecord, TrueService, grade
from services.mesh.topology import ENTRY, Service
from services.mesh.vocabulary import (
    ACTION_COSTS,
    MAX_STEPS,
    SCALE_UP_STEPS,
    WORLD_VERSION,
    ActionName,
    FaultKind,
    Tier,
)

RESTART, SCALE_UP, BREAK = ActionName.RESTART, ActionName.SCALE_UP, ActionName.CIRCUIT_BREAK
ROLLBACK, WAIT = ActionName.ROLLBACK, ActionName.WAIT
DB, AUTH, PAYMENT = Service.USER_DB, Service.AUTH_SERVICE, Service.PAYMENT_GATEWAY

Actions = dict[int, ActionRecord]


def _truth(missed: Sequence[Service] = ()) -> dict[Service, TrueService]:
    return {
        service: TrueService(
            calls=10,
            failed=5 if service in missed else 0,
            latency_p99=40.0,
            error_rate=0.5 if service in missed else 0.0,
            cpu_pct=12.0,
            memory_pct=None,
            sla_met=service not in missed,
        )
        for service in Service
    }


def _did(action: ActionName, service: Service | None = None, **outcome: Any) -> ActionRecord:
    return ActionRecord(action=action, service_id=service, **outcome)


def _cured(action: ActionName, service: Service, at: int, *, fault: int = 0) -> ActionRecord:
    return _did(action, service, cures=(fault,), cure_step=at)


def _story(
    kind: FaultKind = FaultKind.DB_CONNECTION_LEAK,
    root: Service | None = DB,
    cheap_cure: ActionName = RESTART,
) -> FaultStory:
    return FaultStory(kind=kind, root=root, cheap_cure=cheap_cure, parameters={"fill_steps": 7.5})


LEAK = _story()
OOM = _story(FaultKind.SINGLE_OOM)
FLAP = _story(FaultKind.FLAPPING_NETWORK, PAYMENT)
NOTHING = _story(FaultKind.NONE, None, WAIT)


def _episode(
    faults: Sequence[FaultStory] = (LEAK,),
    actions: Actions | None = None,
    missed: Callable[[int], Sequence[Service]] = lambda step: (),
    last: int = MAX_STEPS,
) -> EpisodeRecord:
    """A whole episode; what became of the faults is read off the actions."""
    actions = actions or {}
    stories = list(faults)
    for action in actions.values():
        for index in action.cures:
            cure = {"cured_at": action.cure_step, "cured_by": action.action}
            stories[index] = stories[index].model_copy(update=cure)
    steps = [StepRecord(step=0, action=None, true=_truth(missed(0)))]
    for step in range(1, last + 1):
        action = actions.get(step, _did(WAIT))
        steps.append(StepRecord(step=step, action=action, true=_truth(missed(step))))
    return EpisodeRecord(
        episode_id="e1",
        backend="paper",
        policy="someone",
        tier=Tier.CONTROL if NOTHING in faults else Tier.MEDIUM,
        seed=7,
        faults=tuple(stories),
        steps=tuple(steps),
        finished=True,
    )


def _root_cause(faults: Sequence[FaultStory], actions: Actions) -> float:
    return grade(_episode(faults, actions)).root_cause


# --- by the book ------------------------------------------------------------------------------


def test_a_swift_cheap_cure_scores_nearly_all() -> None:
    score = grade(_episode(actions={1: _cured(RESTART, DB, 1)}, last=3))
    assert (score.sla, score.speed, score.root_cause) == (1.0, 1 - 1 / 15, 1.0)
    assert score.budget == pytest.approx(0.9)
    assert score.total == pytest.approx(0.01 + 0.98 * (0.30 + 0.15 * 14 / 15 + 0.15 * 0.9 + 0.40))
    assert (score.resolved, score.recovered_at) == (True, 1)


def test_waiting_through_an_outage_scores_little() -> None:
    score = grade(_episode(missed=lambda step: list(Service)))
    assert (score.sla, score.speed, score.budget, score.root_cause) == (0.0, 0.0, 0.5, 0.0)
    assert score.total == pytest.approx(0.01 + 0.98 * 0.15 * 0.5)
    assert (score.resolved, score.recovered_at) == (False, None)


def test_sla_counts_the_gateway_twice_and_step_zero_not_at_all() -> None:
    one = grade(_episode(missed=lambda step: [DB] if step in (0, 5, 6, 7) else []))
    assert one.sla == pytest.approx(1 - 3 / (30 * 8))
    gateway = grade(_episode(missed=lambda step: [ENTRY] if step in (0, 5, 6, 7) else []))
    assert gateway.sla == pytest.approx(1 - 6 / (30 * 8))


def test_steps_saved_by_recovery_count_as_met() -> None:
    actions = {2: _cured(RESTART, DB, 2)}
    early = grade(_episode(actions=actions, missed=lambda step: [DB] * (step < 2), last=4))
    late = grade(_episode(actions=actions, missed=lambda step: [DB] * (step < 2)))
    assert early.total == pytest.approx(late.total)


@pytest.mark.parametrize("faults", [(LEAK,), (NOTHING,)])
def test_steps_never_played_do_not(faults: Sequence[FaultStory]) -> None:
    """Walking out of an episode saves nothing."""
    assert grade(_episode(faults, last=6)).sla == pytest.approx(6 / 30)


def test_speed_runs_out_at_step_fifteen() -> None:
    speeds = [
        grade(_episode(actions={at: _cured(RESTART, DB, at)})).speed for at in (1, 5, 14, 15, 20)
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
    actions = {1 + i: _cured(RESTART, roots[i], 1 + i, fault=i) for i in cures}
    for step in range(10, 10 + cost - len(cures)):
        actions[step] = _did(RESTART, DB)
    assert grade(_episode(faults, actions)).budget == pytest.approx(expected)


def test_a_rollback_that_was_not_the_cheap_cure_is_worth_a_fifth() -> None:
    assert _root_cause([LEAK], {3: _cured(ROLLBACK, DB, 3)}) == pytest.approx(0.2)
    bad_rollout = _story(FaultKind.FLAPPING_NETWORK, PAYMENT, ROLLBACK)
    assert _root_cause([bad_rollout], {3: _cured(ROLLBACK, PAYMENT, 3)}) == 1.0


def test_root_cause_is_a_mean_over_the_faults() -> None:
    both = {1: _cured(RESTART, DB, 1), 2: _cured(ROLLBACK, PAYMENT, 2, fault=1)}
    assert _root_cause([LEAK, FLAP], both) == pytest.approx(0.6)
    assert _root_cause([LEAK, FLAP], {1: both[1]}) == pytest.approx(0.5)


@pytest.mark.parametrize("action", [RESTART, SCALE_UP, BREAK, ROLLBACK])
def test_touching_no_root_costs(action: ActionName) -> None:
    actions = {1: _did(action, AUTH), 3: _cured(RESTART, DB, 3)}
    assert _root_cause([LEAK], actions) == pytest.approx(0.65)


@pytest.mark.parametrize("action", [RESTART, SCALE_UP, BREAK, ROLLBACK])
@pytest.mark.parametrize("fault", [LEAK, OOM])
def test_a_root_stays_a_root_and_more_on_it_is_ineffective(
    action: ActionName, fault: FaultStory
) -> None:
    actions = {3: _cured(RESTART, DB, 3), 9: _did(action, DB)}
    assert _root_cause([fault], actions) == pytest.approx(0.75)


def test_root_cause_does_not_fall_below_zero() -> None:
    actions = {step: _did(BREAK, AUTH) for step in range(1, 9)}
    assert _root_cause([LEAK], {**actions, 9: _cured(RESTART, DB, 9)}) == 0.0


def test_a_failed_try_at_a_chancy_cure_is_excused() -> None:
    actions = {1: _did(RESTART, DB), 2: _did(RESTART, DB), 3: _cured(RESTART, DB, 3)}
    assert _root_cause([OOM], actions) == 1.0
    assert _root_cause([LEAK], actions) == pytest.approx(0.5)


@pytest.mark.parametrize("action", [SCALE_UP, BREAK])
def test_a_chance_excuses_no_other_action(action: ActionName) -> None:
    actions = {1: _did(action, DB), 5: _cured(RESTART, DB, 5)}
    assert _root_cause([OOM], actions) == pytest.approx(0.75)


def test_a_chance_excuses_no_other_service() -> None:
    actions = {1: _did(RESTART, PAYMENT), 5: _cured(RESTART, DB, 5)}
    assert _root_cause([OOM, FLAP], actions) == pytest.approx(0.25)


@pytest.mark.parametrize(("restarted_at", "lost"), [(5, 0.0), (6, 0.0), (7, 0.25), (3, 0.25)])
def test_draining_before_the_restart_that_cures_is_excused(restarted_at: int, lost: float) -> None:
    actions = {4: _did(BREAK, PAYMENT), restarted_at: _cured(RESTART, PAYMENT, restarted_at)}
    assert _root_cause([FLAP], actions) == pytest.approx(1.0 - lost)


@pytest.mark.parametrize(
    "then",
    [
        _did(RESTART, PAYMENT),
        _cured(SCALE_UP, PAYMENT, 5 + SCALE_UP_STEPS),
        _cured(RESTART, DB, 5, fault=1),
    ],
    ids=["a restart that cures nothing", "another cure", "a cure elsewhere"],
)
def test_draining_before_anything_else_is_not(then: ActionRecord) -> None:
    flap = FLAP.model_copy(update={"cheap_cure": SCALE_UP})
    without = _root_cause([flap, LEAK], {5: then, 8: _cured(ROLLBACK, PAYMENT, 8)})
    drained = {4: _did(BREAK, PAYMENT), 5: then, 8: _cured(ROLLBACK, PAYMENT, 8)}
    assert _root_cause([flap, LEAK], drained) == pytest.approx(max(0.0, without - 0.25))


def test_a_refused_action_is_a_wait() -> None:
    cure = {4: _cured(RESTART, DB, 4)}
    refused = {1: _did(ROLLBACK, AUTH, accepted=False, error="standby busy")}
    assert grade(_episode(actions={**cure, **refused})) == grade(_episode(actions=cure))


def test_a_cure_after_the_end_is_none() -> None:
    flap = FLAP.model_copy(update={"cheap_cure": SCALE_UP})
    late = {29: _cured(SCALE_UP, PAYMENT, 29 + SCALE_UP_STEPS)}
    score = grade(_episode([flap], late))
    assert (score.root_cause, score.resolved) == (0.0, False)
    assert score.budget == pytest.approx(0.8 * 0.5)


@pytest.mark.parametrize(("interventions", "root_cause"), [(0, 1.0), (1, 0.75), (4, 0.0), (6, 0.0)])
@pytest.mark.parametrize("faults", [(NOTHING,), ()], ids=["none", "empty"])
def test_control_is_left_alone(
    faults: Sequence[FaultStory], interventions: int, root_cause: float
) -> None:
    actions = {1 + i: _did(BREAK, AUTH) for i in range(interventions)}
    score = grade(_episode(faults, actions))
    assert (score.root_cause, score.speed, score.sla) == (root_cause, 1.0, 1.0)
    assert score.budget == pytest.approx(1 - interventions / 10)
    assert (score.recovered_at, score.resolved) == (None, True)


# --- recovery ---------------------------------------------------------------------------------


def _recovered(faults: Sequence[FaultStory], actions: Actions, missed: Sequence[int]) -> int | None:
    record = _episode(faults, actions, lambda step: [DB] * (step in missed))
    return grader.recovered_at(record.steps, record.faults)


@pytest.mark.parametrize(
    ("missed", "expected"),
    [((), 4), ((4,), 5), ((4, 6), 7), ((5, 8, 11), 12), (range(0, 31, 3), None), ((1, 2, 3), 4)],
)
def test_recovery_is_the_first_of_three_good_windows_after_the_cure(
    missed: Sequence[int], expected: int | None
) -> None:
    assert _recovered([LEAK], {4: _cured(RESTART, DB, 4)}, missed) == expected


def test_recovery_waits_for_the_last_fault() -> None:
    one = {2: _cured(RESTART, DB, 2)}
    assert _recovered([LEAK, FLAP], one, ()) is None
    both = {**one, 5: _cured(SCALE_UP, PAYMENT, 5 + SCALE_UP_STEPS, fault=1)}
    assert _recovered([LEAK, FLAP], both, ()) == 5 + SCALE_UP_STEPS


def test_recovery_needs_its_three_windows_to_have_been() -> None:
    record = _episode([LEAK], {4: _cured(RESTART, DB, 4)}, last=6)
    seen = [grader.recovered_at(record.steps[:n], record.faults) for n in range(8)]
    assert seen == [None] * 7 + [4]


def test_nothing_recovers_where_nothing_is_wrong() -> None:
    assert _recovered([NOTHING], {}, ()) is None
    assert _recovered([], {}, ()) is None


def test_the_window_of_reset_is_no_recovery() -> None:
    assert _recovered([LEAK], {1: _cured(RESTART, DB, 0)}, ()) == 1


# --- properties -------------------------------------------------------------------------------

FAULTY = st.sampled_from([(LEAK,), (OOM,), (FLAP,), (LEAK, FLAP), (OOM, FLAP), (NOTHING,)])
INTRUSIVE = st.sampled_from([RESTART, SCALE_UP, BREAK, ROLLBACK])
IDLE = st.builds(_did, INTRUSIVE, st.sampled_from(Service), accepted=st.booleans())


@st.composite
def episodes(draw: st.DrawFn) -> EpisodeRecord:
    """Any episode: idle actions, perhaps cures, any windows."""
    faults = draw(FAULTY)
    actions = draw(st.dictionaries(st.integers(1, MAX_STEPS), IDLE, max_size=8))
    for index, fault in enumerate(faults):
        at = draw(st.none() | st.integers(1, MAX_STEPS))
        if at is not None and fault.root is not None and not actions.get(at, _did(WAIT)).cures:
            action = draw(st.sampled_from([fault.cheap_cure, ROLLBACK]))
            actions[at] = _cured(action, fault.root, at, fault=index)
    bad = draw(
        st.dictionaries(st.integers(0, MAX_STEPS), st.lists(st.sampled_from(Service), max_size=3))
    )
    last = draw(st.just(MAX_STEPS) | st.integers(0, MAX_STEPS))
    actions = {step: action for step, action in actions.items() if step <= last}
    return _episode(faults, actions, lambda step: bad.get(step, []), last)


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
def test_it_goes_by_the_book(record: EpisodeRecord) -> None:
    assert grade(record).total == pytest.approx(_by_the_book(record))


@given(episodes())
def test_a_score_is_inside_and_every_point_is_accounted_for(record: EpisodeRecord) -> None:
    score = grade(record)
    assert 0.01 <= score.total <= 0.99
    assert all(0.0 <= getattr(score, term) <= 1.0 for term in grader.WEIGHTS)
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
        less = _with_action(record, data.draw(st.sampled_from(idle)), _did(WAIT))
        assert grade(less).total >= grade(record).total - 1e-12


@given(episodes(), st.data())
def test_a_better_window_never_costs(record: EpisodeRecord, data: st.DataObject) -> None:
    steps = list(record.steps)
    at = data.draw(st.integers(0, len(steps) - 1))
    steps[at] = steps[at].model_copy(update={"true": _truth()})
    better = record.model_copy(update={"steps": tuple(steps)})
    assert grade(better).total >= grade(record).total - 1e-12


@given(st.integers(1, MAX_STEPS - 3))
def test_a_later_cure_is_never_better(at: int) -> None:
    def cured(step: int) -> Score:
        return grade(
            _episode(actions={step: _cured(RESTART, DB, step)}, missed=lambda s: [DB] * (s < step))
        )

    assert cured(at + 1).total < cured(at).total


@given(episodes())
def test_only_the_truth_counts(record: EpisodeRecord) -> None:
    told = tuple(s.model_copy(update={"observed": {"reward": 0.99}}) for s in record.steps)
    changed = {"steps": told, "policy": "another", "backend": "docker", "finished": False}
    assert grade(record.model_copy(update=changed)) == grade(record)


# --- file -------------------------------------------------------------------------------------


@given(episodes())
def test_what_is_written_is_read(record: EpisodeRecord) -> None:
    assert list(grader.read_episodes(grader.dump_lines(record))) == [record]


def test_a_file_holds_one_episode_after_the_other() -> None:
    records = [_episode(), _episode([NOTHING], last=4), _episode([OOM, FLAP])]
    lines = [line + "\n" for record in records for line in grader.dump_lines(record)]
    assert list(grader.read_episodes(lines)) == records


def test_lines_are_plain_and_in_order() -> None:
    record = _episode(actions={1: _cured(RESTART, DB, 1)}, last=3)
    parsed = [json.loads(line) for line in grader.dump_lines(record)]
    assert [line["type"] for line in parsed] == ["episode", *["step"] * 4, "end"]
    assert all("\n" not in line and line.isascii() for line in grader.dump_lines(record))


def test_the_first_line_does_not_know_the_end() -> None:
    record = _episode(actions={1: _cured(RESTART, DB, 1)}, last=3)
    begun = _episode(last=0).model_copy(update={"steps": (), "finished": False})
    assert grader.header_line(record) == grader.header_line(begun)


def _broken(change: Callable[[list[str]], Any]) -> list[str]:
    lines = list(grader.dump_lines(_episode(last=3)))
    change(lines)
    return lines


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines.pop(), "line 5: the file ends within episode e1"),
        (lambda lines: lines.pop(0), "line 1: a line of type 'step' is out of place"),
        (lambda lines: lines.insert(2, lines[0]), "line 3: a line of type 'episode' is out of"),
        (lambda lines: lines.append(lines[-1]), "line 7: a line of type 'end' is out of place"),
        (lambda lines: lines.__setitem__(3, lines[3][:40]), "line 4: broken JSON: .* column 40"),
        (lambda lines: lines.insert(1, "[]"), "line 2: not a line of an episode"),
        (
            lambda lines: lines.insert(1, '{"type": "log"}'),
            "line 2: a line of type 'log' is out of",
        ),
        (lambda lines: lines.pop(2), "line 3: .*count from 0 without a gap"),
        (
            lambda lines: lines.__setitem__(0, '{"type": "episode"}'),
            "line 1: episode_id: Field req",
        ),
    ],
    ids=["cut off", "no head", "two heads", "two ends", "torn", "list", "alien", "gap", "empty"],
)
def test_a_broken_file_names_the_line(change: Callable[[list[str]], Any], message: str) -> None:
    with pytest.raises(grader.RecordError, match=message):
        list(grader.read_episodes(_broken(change)))


def test_whole_episodes_before_the_break_are_read() -> None:
    lines = [*grader.dump_lines(_episode()), grader.header_line(_episode())]
    episodes = grader.read_episodes(lines)
    assert next(episodes) == _episode()
    with pytest.raises(grader.RecordError):
        next(episodes)


def test_a_window_must_tell_of_every_service() -> None:
    with pytest.raises(ValueError, match="every service"):
        StepRecord(step=0, action=None, true={DB: _truth()[DB]})


def test_scores_compare_within_one_version() -> None:
    record = _episode()
    older = record.model_copy(update={"world_version": "0"})
    assert grader.comparable(record, _episode([OOM]))
    assert not grader.comparable(record, older)


# --- command line -----------------------------------------------------------------------------


def _file(folder: Path, *records: EpisodeRecord) -> str:
    path = folder / "run.jsonl"
    path.write_text("".join(f"{line}\n" for r in records for line in grader.dump_lines(r)))
    return str(path)


def _scored(record: EpisodeRecord) -> EpisodeRecord:
    return record.model_copy(update={"score": grade(record).total})


def test_it_prints_a_line_an_episode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = _scored(_episode(actions={1: _cured(RESTART, DB, 1)}, last=3))
    assert grader.main([_file(tmp_path, good, _scored(_episode([NOTHING])))]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("medium seed=7 backend=paper policy=someone total=0.966 sla=1.000")
    assert "recovered_at=1" in first
    assert second.startswith("control")


def test_it_explains_every_point(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    actions = {2: _did(ROLLBACK, AUTH), 3: _did(SCALE_UP, DB), 4: _cured(ROLLBACK, DB, 4)}
    record = _episode(actions=actions, missed=lambda step: [DB] * (step < 4))
    assert grader.main([_file(tmp_path, record), "--explain"]) == 0
    told = capsys.readouterr().out
    for reason in (
        "sla: user_db missed it in 3 of 30 windows",
        "speed: recovered at step 4",
        "budget: spent 18 of 10 units",
        "root_cause: db_connection_leak at user_db was cured by rollback",
    ):
        assert reason in told
    assert told.count("\n") == 1 + len(grade(record).reasons)


def test_it_explains_every_kind_of_wrong_action() -> None:
    blamed = [
        ([LEAK], _did(BREAK, AUTH), "step 2: circuit_break on auth_service, which is no root"),
        ([LEAK], _did(SCALE_UP, DB), "step 2: scale_up on user_db, which did not help"),
        ([NOTHING], _did(RESTART, DB), "step 2: restart on user_db, where nothing was wrong"),
    ]
    for faults, action, blame in blamed:
        cure = {3: _cured(RESTART, DB, 3)} if LEAK in faults else {}
        reasons = dict(
            (reason, pts) for pts, reason in grade(_episode(faults, {2: action, **cure})).reasons
        )
        assert reasons[f"root_cause: {blame}"] > 0.09


def test_it_shows_a_score_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = _episode().model_copy(update={"score": 0.99})
    assert grader.main([_file(tmp_path, record)]) == 1
    assert "stored score is 0.99" in capsys.readouterr().out


def test_it_notes_another_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = _episode().model_copy(update={"world_version": "0", "finished": False})
    assert grader.main([_file(tmp_path, older)]) == 0
    told = capsys.readouterr().out
    assert f"played in world 0, graded by {WORLD_VERSION}" in told
    assert "unfinished" in told


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", None])
def test_a_bad_file_is_status_two(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert grader.main([str(path)]) == 2
    assert "run.jsonl" in capsys.readouterr().err
