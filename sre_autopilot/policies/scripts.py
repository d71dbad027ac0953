"""Scripts that look at nothing: waiting, sweeps over all services, and tiers known by heart.

They are what the score must not reward: a test holds them below the bounds.
"""

from collections.abc import Sequence

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import Briefing
from sre_autopilot.world.topology import DATABASES, Service
from sre_autopilot.world.vocabulary import ActionName

WAIT = SREAction(action=ActionName.WAIT)


class Script:
    """Plays actions in order, then waits."""

    privileged = False

    def __init__(self, name: str, actions: Sequence[SREAction]) -> None:
        self.name = name
        self._actions = actions

    def begin(self, briefing: Briefing) -> None:
        self._left = list(self._actions)

    def act(self, observation: SREObservation) -> SREAction:
        return self._left.pop(0) if self._left else WAIT


def _on(action: ActionName, *services: Service) -> tuple[SREAction, ...]:
    return tuple(SREAction(action=action, service_id=service) for service in services)


def _sweep(action: ActionName) -> Script:
    return Script(f"sweep_{action}", _on(action, *Service))


WAIT_ONLY = Script(ActionName.WAIT, ())
SWEEPS = tuple(
    _sweep(action)
    for action in (
        ActionName.RESTART,
        ActionName.CIRCUIT_BREAK,
        ActionName.ROLLBACK,
        ActionName.SCALE_UP,
    )
)
_PAYMENT = Service.PAYMENT_GATEWAY
TIER_SCRIPTS = (
    Script("both_databases_restarted", _on(ActionName.RESTART, *DATABASES)),
    Script(
        "payment_everything_tried",
        (
            *_on(ActionName.CIRCUIT_BREAK, _PAYMENT),
            *_on(ActionName.RESTART, _PAYMENT),
            *_on(ActionName.SCALE_UP, _PAYMENT),
            *(WAIT,) * 3,
            *_on(ActionName.ROLLBACK, _PAYMENT),
        ),
    ),
    Script("payment_rolled_back", _on(ActionName.ROLLBACK, _PAYMENT)),
)
