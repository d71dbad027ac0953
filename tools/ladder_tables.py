"""The generated parts of docs/benchmark.md: the ladder as it is kept, and what a submission is."""

import json

from sre_autopilot.evaluation.ladder import report
from sre_autopilot.evaluation.ladder.document import Ladder
from sre_autopilot.evaluation.submission.document import Submission
from tools.markdown import code, table


def ladder_state() -> str:
    """Which world the figures are of, and who is missing."""
    return report.state_text(Ladder.read())


def ladder_scores() -> str:
    """Scores by world, policy and tier."""
    return table(" | ".join(report.SCORE_COLUMNS), report.score_rows(Ladder.read().rungs))


def ladder_diagnosis() -> str:
    """Diagnosis and costs by world, policy and tier."""
    return table(" | ".join(report.DIAGNOSIS_COLUMNS), report.diagnosis_rows(Ladder.read().rungs))


def ladder_profiles() -> str:
    """Performance profiles, and the probability of improvement."""
    ladder = Ladder.read()
    return table(" | ".join(report.profile_columns(ladder)), report.profile_rows(ladder.rungs))


def submission_schema() -> str:
    """The JSON Schema of submission.json."""
    return code(json.dumps(Submission.model_json_schema(), indent=1), "json")
