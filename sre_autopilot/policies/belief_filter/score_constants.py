"""The grader's constants in points of score, for policies that weigh one loss against another.

Read from `sre_autopilot.grading`, never copied. Imports no NumPy: processes that fork load it.
"""

from sre_autopilot import grading

# A term's weight is its share of SPAN, the distance between the lowest and the highest score.
UNIT = grading.SPAN * grading.WEIGHTS["budget"] / grading.BUDGET_UNITS
"""Points that one unit of an action's cost takes from the budget term."""
SPEED_DELAY = grading.SPAN * grading.WEIGHTS["speed"] / grading.SPEED_STEPS
"""Points that recovering one step later takes from the speed term, until SPEED_STEPS."""
INEFFECTIVE, WRONG, NOT_CHEAP = (
    grading.SPAN * grading.WEIGHTS["root_cause"] * share
    for share in (
        grading.INEFFECTIVE_PENALTY,
        grading.WRONG_SERVICE_PENALTY,
        1.0 - grading.ROLLBACK_VALUE,
    )
)
"""Points lost by an action that does not help, by one on a service that is not the cause, and by a
rollback in place of the cheap cure. All three are of the root-cause term."""
