"""Hidden faults as rows of numbers, for lanes: encoded from fault objects. Applies no fault.

`rules.fault_draws` writes the same rows without the objects, for many episodes at once.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chaos.fault import Fault
from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.flapping_network import FlappingNetwork
from chaos.faults.single_oom import SingleOom
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause

_SERVICES, _ACTIONS = tuple(Service), tuple(ActionName)
_KINDS, _CAUSES = tuple(FaultKind), tuple(FlapCause)
Floats = np.ndarray[Any, np.dtype[np.float64]]


def encode_faults(faults: Sequence[Fault]) -> Floats:
    """(MAX_FAULTS * FAULT_WIDTH,). Raises ValueError for more faults, or for others' fault classes.

    Others' faults have no rules over arrays; they run on every backend behind the API.
    """
    real = [fault for fault in faults if fault.kind != FaultKind.NONE]
    if len(real) > layout.MAX_FAULTS:
        raise ValueError(
            f"the vector simulator takes up to {layout.MAX_FAULTS} faults at once, not {len(real)}"
        )
    row: Floats = np.zeros((layout.MAX_FAULTS, layout.FAULT_WIDTH))
    row[:, layout.CURED_AT] = layout.NEVER
    for number, fault in enumerate(real):
        _encode(row[number], fault)
    return row.reshape(-1)


def _encode(row: Floats, fault: Fault) -> None:
    assert fault.root is not None
    row[layout.KIND] = _KINDS.index(FaultKind(fault.kind))
    row[layout.ROOT] = _SERVICES.index(fault.root)
    row[layout.CHEAP_CURE] = _ACTIONS.index(fault.cheap_cure)
    row[layout.CPU_FRACTION] = 1.0
    match fault:
        case SingleOom():
            row[layout.LEAK_MB] = fault.memory_leak_mb_per_step
        case DbConnectionLeak():
            row[layout.DATABASE] = _SERVICES.index(fault.database)
            row[layout.FILL_STEPS] = fault.fill_steps
        case FlappingNetwork():
            flap = fault.flap
            row[layout.CAUSE] = _CAUSES.index(fault.cause)
            row[layout.LOSS_SHARE] = flap.loss_share
            row[layout.PERIOD], row[layout.BURST] = flap.period_steps, flap.burst_steps
            row[layout.PHASE] = flap.phase_steps
            if fault.cause is FlapCause.NOISY_NEIGHBOUR:
                burst = fault.burst()
                row[layout.CPU_FRACTION] = burst.cpu_fraction
                row[layout.NEIGHBOUR_PCT] = burst.neighbour_cpu_pct
        case _:
            raise ValueError(
                f"the vector simulator has no rules for the fault {type(fault).__name__}"
            )
