"""What the grader takes for blame, a unit of budget, and a cure that is not cheap: in points.

Imports no NumPy: forked processes may load it.
"""

from sre_autopilot.grading import (
    BUDGET_UNITS,
    INEFFECTIVE_PENALTY,
    ROLLBACK_VALUE,
    SPAN,
    WEIGHTS,
    WRONG_SERVICE_PENALTY,
)

UNIT = SPAN * WEIGHTS["budget"] / BUDGET_UNITS
INEFFECTIVE, WRONG, NOT_CHEAP = (
    SPAN * WEIGHTS["root_cause"] * share
    for share in (INEFFECTIVE_PENALTY, WRONG_SERVICE_PENALTY, 1.0 - ROLLBACK_VALUE)
)
