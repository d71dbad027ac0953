"""Episodes made up for the grader's tests."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from sre_autopilot.grading import (
    ActionRecord,
    EpisodeRecord,
    FaultRecord,
    StepRecord,
    TrueService,
    grade,
)
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, FaultKind, Tier

RESTART, SCALE_UP, BREAK = ActionName.RESTART, ActionName.SCALE_UP, ActionName.CIRCUIT_BREAK
ROLLBACK, WAIT = ActionName.ROLLBACK, ActionName.WAIT
DB, AUTH, PAYMENT = Service.USER_DB, Service.AUTH_SERVICE, Service.PAYMENT_GATEWAY

Actions = dict[int, ActionRecord]


def _windows(*, failed: int) -> TrueService:
    """What a service did in any window in which `failed` of its ten calls failed."""
    return TrueService(
        calls=10,
        failed=failed,
        latency_p99=40.0,
        error_rate=failed / 10,
        cpu_pct=12.0,
        memory_pct=None,
        sla_met=failed == 0,
    )


# Made once: an episode has some two hundred, and Hypothesis draws hundreds of episodes.
MET, MISSED = _windows(failed=0), _windows(failed=5)


def truth(missed: Sequence[Service] = ()) -> dict[Service, TrueService]:
    return {service: MISSED if service in missed else MET for service in Service}


def did(action: ActionName, service: Service | None = None, **outcome: Any) -> ActionRecord:
    return ActionRecord(action=action, service_id=service, **outcome)


def cured(action: ActionName, service: Service, at: int, *, fault: int = 0) -> ActionRecord:
    return did(action, service, cures=(fault,), cure_step=at)


def fault_record(
    kind: FaultKind = FaultKind.DB_CONNECTION_LEAK,
    root: Service | None = DB,
    cheap_cure: ActionName = RESTART,
) -> FaultRecord:
    return FaultRecord(kind=kind, root=root, cheap_cure=cheap_cure, parameters={"fill_steps": 7.5})


LEAK = fault_record()
OOM = fault_record(FaultKind.SINGLE_OOM)
FLAP = fault_record(FaultKind.FLAPPING_NETWORK, PAYMENT)
NOTHING = fault_record(FaultKind.NONE, None, WAIT)


def episode(
    faults: Sequence[FaultRecord] = (LEAK,),
    actions: Actions | None = None,
    missed: Callable[[int], Sequence[Service]] = lambda step: (),
    last: int = MAX_STEPS,
) -> EpisodeRecord:
    """A whole episode; what became of the faults is read off the actions."""
    actions = actions or {}
    records = list(faults)
    for action in actions.values():
        for index in action.cures:
            cure = {"cured_at": action.cure_step, "cured_by": action.action}
            records[index] = records[index].model_copy(update=cure)
    steps = [StepRecord(step=0, action=None, true=truth(missed(0)))]
    for step in range(1, last + 1):
        action = actions.get(step, did(WAIT))
        steps.append(StepRecord(step=step, action=action, true=truth(missed(step))))
    return EpisodeRecord(
        episode_id="e1",
        backend="paper",
        policy="someone",
        tier=Tier.CONTROL if NOTHING in faults else Tier.MEDIUM,
        seed=7,
        faults=tuple(records),
        steps=tuple(steps),
        finished=True,
    )


def root_cause(faults: Sequence[FaultRecord], actions: Actions) -> float:
    return grade(episode(faults, actions)).root_cause


FAULTY = st.sampled_from([(LEAK,), (OOM,), (FLAP,), (LEAK, FLAP), (OOM, FLAP), (NOTHING,)])
INTRUSIVE = st.sampled_from([RESTART, SCALE_UP, BREAK, ROLLBACK])
IDLE = st.builds(did, INTRUSIVE, st.sampled_from(Service), accepted=st.booleans())


@st.composite
def episodes(draw: st.DrawFn) -> EpisodeRecord:
    """Any episode: idle actions, perhaps cures, any windows."""
    faults = draw(FAULTY)
    actions = draw(st.dictionaries(st.integers(1, MAX_STEPS), IDLE, max_size=8))
    for index, fault in enumerate(faults):
        at = draw(st.none() | st.integers(1, MAX_STEPS))
        if at is not None and fault.root is not None and not actions.get(at, did(WAIT)).cures:
            action = draw(st.sampled_from([fault.cheap_cure, ROLLBACK]))
            actions[at] = cured(action, fault.root, at, fault=index)
    bad = draw(
        st.dictionaries(st.integers(0, MAX_STEPS), st.lists(st.sampled_from(Service), max_size=3))
    )
    last = draw(st.just(MAX_STEPS) | st.integers(0, MAX_STEPS))
    actions = {step: action for step, action in actions.items() if step <= last}
    return episode(faults, actions, lambda step: bad.get(step, []), last)
