"""Grades recorded episodes: `python grader.py FILE --explain`. The code is in
sre_autopilot.grading.
"""

import sys

from sre_autopilot.grading import (
    ActionRecord,
    EpisodeRecord,
    FaultRecord,
    RecordError,
    Score,
    StepRecord,
    TracedCall,
    TrueEdge,
    TrueService,
    comparable,
    grade,
    main,
    read_episodes,
)

__all__ = [
    "ActionRecord",
    "EpisodeRecord",
    "FaultRecord",
    "RecordError",
    "Score",
    "StepRecord",
    "TracedCall",
    "TrueEdge",
    "TrueService",
    "comparable",
    "grade",
    "main",
    "read_episodes",
]

if __name__ == "__main__":
    sys.exit(main())
