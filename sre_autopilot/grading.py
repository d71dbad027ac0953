"""Grades recorded episodes: reads the truth of an `EpisodeRecord`, never what a client says.

    python grader.py run.jsonl [--explain]

Owns the record and its file: JSON lines, appended as the episode goes, one `episode` line, a `step`
line a window (step 0 is that of reset) and one `end` line. Pure but for `main`.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sre_autopilot.world import vocabulary as world
from sre_autopilot.world.topology import ENTRY, Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, FaultKind, Tier

LOWEST, SPAN = 0.01, 0.98
WEIGHTS = {"sla": 0.30, "speed": 0.15, "budget": 0.15, "root_cause": 0.40}
ENTRY_COUNTS = 2
SPEED_STEPS, BUDGET_UNITS, UNCURED_PENALTY = 15, 10, 0.5
ROLLBACK_VALUE = 0.2
WRONG_SERVICE_PENALTY, INEFFECTIVE_PENALTY, NEEDLESS_PENALTY = 0.35, 0.25, 0.25
CURED_BY_CHANCE: Mapping[str, ActionName] = {FaultKind.SINGLE_OOM: ActionName.RESTART}
"""Cures that may fail: a failed try before the cure is not held against the agent."""

Loss = tuple[float, str]
"""How much is lost, and why."""


class RecordError(ValueError):
    """A file of episodes is broken; the message begins with the number of the line."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultRecord(_Frozen):
    """A hidden fault, and from which step and by what it was cured, if it was."""

    kind: str
    root: Service | None
    cheap_cure: ActionName
    parameters: dict[str, Any]
    cured_at: int | None = None
    cured_by: ActionName | None = None


class ActionRecord(_Frozen):
    """What an agent did; `cures` are indices of the faults that it cured, from `cure_step` on."""

    action: ActionName
    service_id: Service | None = None
    accepted: bool = True
    error: str | None = None
    cures: tuple[int, ...] = ()
    cure_step: int | None = None


class TrueService(_Frozen):
    """A service in a window, before noise: latency in ms, error rate 0..1, percent of limits."""

    calls: int
    failed: int
    latency_p99: float | None
    error_rate: float | None
    cpu_pct: float | None
    memory_pct: float | None
    sla_met: bool


class TrueEdge(_Frozen):
    """Calls from one service (or the users) to another in a window, before any span was lost;
    `served` of them have the callee's own span as their child; `trace_id` is the worst call's:
    the slowest, of those that failed if any did.
    """

    caller: str
    callee: str
    calls: int
    failed: int
    served: int
    latency_p99: float
    trace_id: str | None = None


class StepRecord(_Frozen):
    """One action (none at step 0) and the window after it, which lasted from `began_at` to
    `ended_at` (unix seconds); only what is true is graded.
    """

    step: int
    action: ActionRecord | None
    true: dict[Service, TrueService]
    edges: tuple[TrueEdge, ...] = ()
    serving: dict[Service, tuple[str, ...]] = {}
    observed: dict[str, Any] = {}
    duration_s: float | None = None
    began_at: float | None = None
    ended_at: float | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.true.keys() != set(Service):
            raise ValueError("every step must tell the truth about every service")
        return self

    @property
    def sla_met(self) -> bool:
        return all(service.sla_met for service in self.true.values())


class EpisodeRecord(_Frozen):
    """An episode so far; `score` is its total as graded when it was written.

    `aborted` is not stored: it says that the file ended before the episode did, as it does when the
    program that wrote it was killed.
    """

    episode_id: str
    world_version: str = world.WORLD_VERSION
    backend: str
    policy: str | None = None
    tier: Tier
    seed: int
    max_steps: int = world.MAX_STEPS
    faults: tuple[FaultRecord, ...]
    steps: tuple[StepRecord, ...] = ()
    finished: bool = False
    score: float | None = None
    aborted: bool = Field(default=False, exclude=True)

    @model_validator(mode="after")
    def _without_gaps(self) -> Self:
        if [s.step for s in self.steps] != list(range(len(self.steps))):
            raise ValueError("steps must count from 0 without a gap")
        return self

    @property
    def breakages(self) -> tuple[FaultRecord, ...]:
        """The faults, without the one that is none."""
        return tuple(f for f in self.faults if f.kind != FaultKind.NONE)

    @property
    def interventions(self) -> tuple[tuple[int, ActionRecord], ...]:
        """Accepted actions that cost anything, each with its step."""
        acted = ((s.step, s.action) for s in self.steps if s.action and s.action.accepted)
        return tuple((step, action) for step, action in acted if ACTION_COSTS[action.action])

    def cured(self, fault: FaultRecord) -> bool:
        """Whether the cure took hold before the episode was over."""
        return fault.cured_at is not None and fault.cured_at < len(self.steps)


class Score(_Frozen):
    """`total` in [0.01, 0.99], its terms in 0..1, and the points that it lacks with the reasons."""

    total: float
    sla: float
    speed: float
    budget: float
    root_cause: float
    resolved: bool
    recovered_at: int | None
    reasons: tuple[Loss, ...]


def comparable(a: EpisodeRecord, b: EpisodeRecord) -> bool:
    """Whether scores of the two may be compared: only within one version of the world."""
    return a.world_version == b.world_version


def recovered_at(steps: Sequence[StepRecord], faults: Sequence[FaultRecord]) -> int | None:
    """First of the windows in a row, all faults cured and all SLAs met, that end an episode."""
    cures = [f.cured_at for f in faults if f.cured_at is not None]
    if not faults or len(cures) < len(faults):
        return None
    in_a_row = 0
    for step in steps:
        in_a_row = in_a_row + 1 if step.step >= max(1, *cures) and step.sla_met else 0
        if in_a_row == world.RECOVERY_WINDOWS:
            return step.step + 1 - in_a_row
    return None


def grade(record: EpisodeRecord) -> Score:
    """Scores the truth. Each term is what its losses leave of 1, and not below 0."""
    recovered = recovered_at(record.steps, record.faults)
    losses = {
        "sla": _sla(record, recovered),
        "speed": _speed(record, recovered),
        "budget": _budget(record),
        "root_cause": _root_cause(record),
    }
    terms: dict[str, float] = dict.fromkeys(losses, 1.0)
    reasons: list[Loss] = []
    for term, (share, reason) in ((t, loss) for t, parts in losses.items() for loss in parts):
        lost = min(share, terms[term])
        terms[term] -= lost
        reasons += [(SPAN * WEIGHTS[term] * lost, f"{term}: {reason}")] if lost else []
    total = LOWEST + SPAN * sum(WEIGHTS[term] * left for term, left in terms.items())
    return Score(
        total=min(max(total, LOWEST), LOWEST + SPAN),
        **terms,
        resolved=recovered is not None or not record.breakages,
        recovered_at=recovered,
        reasons=tuple(reasons),
    )


def _sla(record: EpisodeRecord, recovered: int | None) -> Iterator[Loss]:
    windows = record.steps[1:]
    slots = record.max_steps * (len(Service) + ENTRY_COUNTS - 1)
    for service in Service:
        missed = sum(not window.true[service].sla_met for window in windows)
        weight = ENTRY_COUNTS if service is ENTRY else 1
        yield missed * weight / slots, f"{service} missed it in {missed} of {len(windows)} windows"
    if recovered is None:
        unplayed = record.max_steps - len(windows)
        yield unplayed / record.max_steps, f"{unplayed} steps were not played"


def _speed(record: EpisodeRecord, recovered: int | None) -> Iterator[Loss]:
    if recovered is not None:
        yield recovered / SPEED_STEPS, f"recovered at step {recovered}"
    elif record.breakages:
        yield 1.0, "never recovered"


def _budget(record: EpisodeRecord) -> Iterator[Loss]:
    cost = sum(ACTION_COSTS[action.action] for _, action in record.interventions)
    spent = min(1.0, cost / BUDGET_UNITS)
    yield spent, f"spent {cost} of {BUDGET_UNITS} units"
    if uncured := [f.kind for f in record.breakages if not record.cured(f)]:
        share = len(uncured) / len(record.breakages)
        yield (1.0 - spent) * UNCURED_PENALTY * share, f"not cured: {', '.join(uncured)}"


def _root_cause(record: EpisodeRecord) -> Iterator[Loss]:
    share = 1.0 / max(1, len(record.breakages))
    for fault in record.breakages:
        where = f"{fault.kind} at {fault.root}"
        if not record.cured(fault):
            yield share, f"{where} was not cured"
        elif fault.cured_by is not fault.cheap_cure:
            value = ROLLBACK_VALUE if fault.cured_by is ActionName.ROLLBACK else 0.0
            yield share * (1.0 - value), f"{where} was cured by {fault.cured_by}"
    roots = {fault.root for fault in record.breakages}
    for step, action in record.interventions:
        what = f"step {step}: {action.action} on {action.service_id}"
        if not roots:
            yield NEEDLESS_PENALTY, f"{what}, where nothing was wrong"
        elif action.service_id not in roots:
            yield WRONG_SERVICE_PENALTY, f"{what}, which is no root"
        elif not (action.cures or _tried(record, step, action) or _drained(record, step, action)):
            yield INEFFECTIVE_PENALTY, f"{what}, which did not help"


def _tried(record: EpisodeRecord, step: int, action: ActionRecord) -> bool:
    """Whether it was a cure that fails by chance, before one succeeded."""
    return any(
        CURED_BY_CHANCE.get(fault.kind) is action.action
        and fault.root is action.service_id
        and (fault.cured_at is None or step < fault.cured_at)
        for fault in record.breakages
    )


def _drained(record: EpisodeRecord, step: int, action: ActionRecord) -> bool:
    """Whether it was a circuit break behind which a restart of the same service cured."""
    return action.action is ActionName.CIRCUIT_BREAK and any(
        step < later < step + world.BREAKER_STEPS
        and (cure.action, cure.service_id) == (ActionName.RESTART, action.service_id)
        and cure.cures
        for later, cure in record.interventions
    )


def header_line(record: EpisodeRecord) -> str:
    """The line to write before the first step: all that is known by then."""
    later = {"steps": True, "finished": True, "score": True}
    cure = {"__all__": {"cured_at", "cured_by"}}
    return _line("episode", record.model_dump(mode="json", exclude={**later, "faults": cure}))


def step_line(step: StepRecord) -> str:
    """The line to write after each step, that of reset included."""
    return _line("step", step.model_dump(mode="json"))


def end_line(record: EpisodeRecord) -> str:
    """The line to write after the last step: what became of the faults, and the score."""
    return _line("end", record.model_dump(mode="json", include={"faults", "finished", "score"}))


def dump_lines(record: EpisodeRecord) -> Iterator[str]:
    """A whole episode, without line ends."""
    yield from (header_line(record), *map(step_line, record.steps), end_line(record))


def _line(kind: str, part: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **part})


def read_episodes(lines: Iterable[str]) -> Iterator[EpisodeRecord]:
    """Episodes written one after the other; the last one may be `aborted`, unless it has no step.

    Raises RecordError at the first line that is wrong.
    """
    record: EpisodeRecord | None = None
    half_line: RecordError | None = None  # what a killed program leaves, if it is the last one
    for number, line in enumerate(lines, start=1):
        if half_line is not None:
            raise half_line
        try:
            kind, record = _read(line, record)
        except ValueError as error:
            half_line = RecordError(f"line {number}: {_reason(error)}")
            if record is None or not isinstance(error, json.JSONDecodeError):
                raise half_line from error
            continue
        if kind == "end":
            yield record
            record = None
    if record is not None and record.steps:
        yield record.model_copy(update={"aborted": True})


def _read(line: str, record: EpisodeRecord | None) -> tuple[str, EpisodeRecord]:
    """Kind of the line, and the episode so far."""
    match json.loads(line):
        case {"type": "episode", **part} if record is None:
            return "episode", EpisodeRecord.model_validate(part)
        case {"type": "step", **part} if record is not None:
            steps = (*record.steps, StepRecord.model_validate(part))
            return "step", EpisodeRecord.model_validate({**dict(record), "steps": steps})
        case {"type": "end", **part} if record is not None:
            return "end", EpisodeRecord.model_validate({**dict(record), **part})
        case {"type": kind}:
            raise ValueError(f"a line of type {kind!r} is out of place")
    raise ValueError("not a line of an episode")


def _reason(error: ValueError) -> str:
    match error:
        case ValidationError():
            wrong = error.errors()[0]
            return f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}".removeprefix(": ")
        case json.JSONDecodeError():
            return f"broken JSON: {error.msg} at column {error.colno}"
    return str(error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 where a stored score is not what comes out now, 2 for a bad file."""
    parser = argparse.ArgumentParser(description="Grade recorded episodes.")
    parser.add_argument("path", type=Path, help="JSON lines, as the environment writes them")
    parser.add_argument("--explain", action="store_true", help="say where points went")
    options = parser.parse_args(arguments)
    try:
        with options.path.open(encoding="utf-8") as lines:
            agree = [_report(record, options.explain) for record in read_episodes(lines)]
        if not agree:
            raise RecordError("no episode in it")
    except (OSError, RecordError, UnicodeDecodeError) as error:
        print(f"{options.path}: {error}", file=sys.stderr)
        return 2
    return 0 if all(agree) else 1


def _report(record: EpisodeRecord, explain: bool) -> bool:
    """Prints one episode; whether its stored score, if any, is the one that comes out now."""
    score = grade(record)
    terms = " ".join(f"{term}={getattr(score, term):.3f}" for term in ("total", *WEIGHTS))
    who = f"{record.tier} seed={record.seed} backend={record.backend} policy={record.policy}"
    print(f"{who} {terms} recovered_at={score.recovered_at}")
    if record.world_version != world.WORLD_VERSION:
        print(f"  note: played in world {record.world_version}, graded by {world.WORLD_VERSION}")
    if record.aborted:
        print(f"  note: aborted, the file ends after step {len(record.steps) - 1}")
    elif not record.finished:
        print("  note: unfinished")
    agrees = record.score is None or math.isclose(record.score, score.total, abs_tol=1e-9)
    if not agrees:
        print(f"  note: the stored score is {record.score}")
    for points, reason in score.reasons if explain else ():
        print(f"  -{points:.3f}  {reason}")
    return agrees


if __name__ == "__main__":
    sys.exit(main())
