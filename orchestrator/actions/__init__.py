"""What an agent can do: one short file each, pure changes of the deployment."""

from orchestrator.actions.action import Action, Situation
from orchestrator.actions.circuit_break import CircuitBreak
from orchestrator.actions.restart import Restart
from orchestrator.actions.rollback import Rollback
from orchestrator.actions.scale_up import ScaleUp
from orchestrator.actions.wait import Wait
from sre_autopilot.world.vocabulary import ActionName

_ACTIONS: tuple[Action, ...] = (Restart(), ScaleUp(), CircuitBreak(), Rollback(), Wait())
ACTIONS: dict[ActionName, Action] = {action.name: action for action in _ACTIONS}

__all__ = ["ACTIONS", "Action", "Situation"]
