"""Scripts that read no observation: waiting, sweeps over all services, and cures by tier.

The score must not reward them: the score checks keep their means below fixed limits.
"""

from collections.abc import Sequence
from typing import ClassVar

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import WAIT, Briefing
from sre_autopilot.world.topology import DATABASES, Service
from sre_autopilot.world.vocabulary import SCALE_UP_STEPS, ActionName, Tier

_PAYMENT = Service.PAYMENT_GATEWAY


def _on(action: ActionName, *services: Service) -> tuple[SREAction, ...]:
    return tuple(SREAction(action=action, service_id=service) for service in services)


class Script:
    """Plays `actions` in order, then waits."""

    name: str
    privileged = False
    needs_traces = False
    actions: ClassVar[Sequence[SREAction]]

    def begin(self, briefing: Briefing) -> None:
        self._left = list(self.actions)

    def act(self, observation: SREObservation) -> SREAction:
        return self._left.pop(0) if self._left else WAIT


class TierScript(Script):
    """Tries the cures of the faults that `tier` is known to have."""

    tier: ClassVar[Tier]


class WaitOnly(Script):
    name = str(ActionName.WAIT)
    actions = ()


class SweepRestart(Script):
    name = "sweep_restart"
    actions = _on(ActionName.RESTART, *Service)


class SweepCircuitBreak(Script):
    name = "sweep_circuit_break"
    actions = _on(ActionName.CIRCUIT_BREAK, *Service)


class SweepRollback(Script):
    name = "sweep_rollback"
    actions = _on(ActionName.ROLLBACK, *Service)


class SweepScaleUp(Script):
    name = "sweep_scale_up"
    actions = _on(ActionName.SCALE_UP, *Service)


class BothDatabasesRestarted(TierScript):
    name = "both_databases_restarted"
    tier = Tier.MEDIUM
    actions = _on(ActionName.RESTART, *DATABASES)


class PaymentEverythingTried(TierScript):
    name = "payment_everything_tried"
    tier = Tier.HARD
    actions = (
        *_on(ActionName.CIRCUIT_BREAK, _PAYMENT),
        *_on(ActionName.RESTART, _PAYMENT),
        *_on(ActionName.SCALE_UP, _PAYMENT),
        # While the second replica starts, a rollback would be refused.
        *(WAIT,) * SCALE_UP_STEPS,
        *_on(ActionName.ROLLBACK, _PAYMENT),
    )


class PaymentRolledBack(TierScript):
    name = "payment_rolled_back"
    tier = Tier.HARD
    actions = _on(ActionName.ROLLBACK, _PAYMENT)


SWEEPS: tuple[type[Script], ...] = (SweepRestart, SweepCircuitBreak, SweepRollback, SweepScaleUp)
TIER_SCRIPTS: tuple[type[TierScript], ...] = (
    BothDatabasesRestarted,
    PaymentEverythingTried,
    PaymentRolledBack,
)
