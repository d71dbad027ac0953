"""Scripted play for tests: keyed actions, the same for a lane and for an environment."""

from typing import Any

import numpy as np

from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.simulator.rules.window_arrays import PAYMENT, SERVICE_COUNT
from sre_autopilot.world.draws import Stream, uniform
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName

ACTIONS, NAMES = tuple(ActionName), tuple(Service)
ACTS = 0.4
"""Share of steps that do something."""
ON_PAYMENT = 0.4


def script(seed: int) -> Any:
    """(MAX_STEPS, 2), int64: an action and a service a step, those on payment more often."""
    rows = []
    for step in range(MAX_STEPS):
        acts, action, place, service = (
            uniform(seed, Stream.POLICY, step, index) for index in range(4)
        )
        chosen = int(action * len(ACTIONS)) if acts < ACTS else layout.WAIT
        rows.append((chosen, PAYMENT if place < ON_PAYMENT else int(service * SERVICE_COUNT)))
    return np.array(rows, np.int64)
