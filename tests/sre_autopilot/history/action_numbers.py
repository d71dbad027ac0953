"""Actions as rows have them: by their places."""

from sre_autopilot.world.vocabulary import ActionName

RESTART, SCALE_UP, ROLLBACK, WAIT = (
    tuple(ActionName).index(name)
    for name in (ActionName.RESTART, ActionName.SCALE_UP, ActionName.ROLLBACK, ActionName.WAIT)
)
