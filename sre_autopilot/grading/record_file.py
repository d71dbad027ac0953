"""The file of a record: JSON lines, appended as the episode goes.

One `episode` line, a `step` line a window (step 0 is that of reset) and one `end` line.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from sre_autopilot.grading.record import EpisodeRecord, FaultRecord, StepRecord


class RecordError(ValueError):
    """A file of episodes is broken; the message begins with the number of the line."""


def header_line(record: EpisodeRecord) -> str:
    """The line to write before the first step: all that is known by then."""
    later = {"steps": True, "finished": True, "score": True, "validity": True}
    cure = {"__all__": {"cured_at", "cured_by"}}
    return _line("episode", record.model_dump(mode="json", exclude={**later, "faults": cure}))


def step_line(step: StepRecord) -> str:
    """The line to write after each step, that of reset included."""
    exclude = None if step.traces else {"traces"}
    return _line("step", step.model_dump(mode="json", exclude=exclude))


def end_line(record: EpisodeRecord) -> str:
    """The line to write after the last step: what became of the faults, the score, the validity."""
    part = {"faults", "finished", "score", "validity"}
    return _line("end", record.model_dump(mode="json", include=part))


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
            if number == 1 and isinstance(error, json.JSONDecodeError):
                half_line = RecordError("line 1 is not JSON: this is no record of an episode")
            if record is None or not isinstance(error, json.JSONDecodeError):
                raise half_line from error
            continue
        if kind == "end":
            yield record
            record = None
    if record is not None and record.steps:
        yield record.model_copy(update={"aborted": True, "faults": _faults_as_cured(record)})


def _faults_as_cured(record: EpisodeRecord) -> tuple[FaultRecord, ...]:
    """The faults with their cures, as the actions show: a file without its end line has none."""
    faults = list(record.faults)
    for _, action in record.interventions:
        for index in action.cures:
            cure = {"cured_at": action.cure_step, "cured_by": action.action}
            faults[index] = faults[index].model_copy(update=cure)
    return tuple(faults)


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
