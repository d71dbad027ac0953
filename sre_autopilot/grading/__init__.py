"""The record of an episode, its file, and its score: what an agent is judged by."""

from sre_autopilot.grading.command import main
from sre_autopilot.grading.record import (
    ActionRecord,
    EpisodeRecord,
    FaultRecord,
    StepRecord,
    TrueEdge,
    TrueService,
    comparable,
)
from sre_autopilot.grading.record_file import (
    RecordError,
    dump_lines,
    end_line,
    header_line,
    read_episodes,
    step_line,
)
from sre_autopilot.grading.score import (
    BUDGET_UNITS,
    ENTRY_COUNTS,
    INEFFECTIVE_PENALTY,
    LOWEST,
    NEEDLESS_PENALTY,
    ROLLBACK_VALUE,
    SPAN,
    SPEED_STEPS,
    UNCURED_PENALTY,
    WEIGHTS,
    WRONG_SERVICE_PENALTY,
    Score,
    grade,
    recovered_at,
)
from sre_autopilot.grading.validity import HostFigures

__all__ = [
    "BUDGET_UNITS",
    "ENTRY_COUNTS",
    "INEFFECTIVE_PENALTY",
    "LOWEST",
    "NEEDLESS_PENALTY",
    "ROLLBACK_VALUE",
    "SPAN",
    "SPEED_STEPS",
    "UNCURED_PENALTY",
    "WEIGHTS",
    "WRONG_SERVICE_PENALTY",
    "ActionRecord",
    "EpisodeRecord",
    "FaultRecord",
    "HostFigures",
    "RecordError",
    "Score",
    "StepRecord",
    "TrueEdge",
    "TrueService",
    "comparable",
    "dump_lines",
    "end_line",
    "grade",
    "header_line",
    "main",
    "read_episodes",
    "recovered_at",
    "step_line",
]
