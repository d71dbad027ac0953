"""What the tests of all faults share."""

from collections.abc import Callable

import pytest

from chaos.fault import Fault, Intervention
from sre_autopilot.world.deployment import Deployment, initial_deployment
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

START = initial_deployment()


@pytest.fixture
def cured_from() -> Callable[..., int | None]:
    """Asks from which step an action at `step` cures a fault."""

    def ask(
        fault: Fault,
        action: ActionName,
        service: Service,
        *,
        step: int = 4,
        seed: int = 0,
        deployment: Deployment = START,
    ) -> int | None:
        return fault.on_action(Intervention(action, service, step, seed), deployment)

    return ask
