"""Hidden faults as rows of numbers: drawn by `chaos.tiers`, told to lanes. Draws nothing itself."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chaos.fault import Fault
from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.flapping_network import FlappingNetwork
from chaos.faults.single_oom import SingleOom
from chaos.tiers import draw_faults
from sre_autopilot.simulator.rules import state_layout as at
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause, Tier

SERVICES, ACTIONS = tuple(Service), tuple(ActionName)
KINDS, CAUSES = tuple(FaultKind), tuple(FlapCause)
Floats = np.ndarray[Any, np.dtype[np.float64]]


def story(faults: Sequence[Fault]) -> Floats:
    """(FAULTS * FAULT_FIELDS,). Raises ValueError for more, or for faults from elsewhere."""
    told = [fault for fault in faults if fault.kind != FaultKind.NONE]
    if len(told) > at.FAULTS:
        raise ValueError(f"the simulator knows {at.FAULTS} faults at once, not {len(told)}")
    row = np.zeros((at.FAULTS, at.FAULT_FIELDS))
    row[:, at.CURED_AT] = at.NEVER
    for number, fault in enumerate(told):
        _tell(row[number], fault)
    return row.ravel()


def stories(tier: Tier, seeds: Iterable[int]) -> Floats:
    """(seeds, FAULTS * FAULT_FIELDS), a row a seed."""
    return np.array([story(draw_faults(tier, seed)) for seed in seeds])


def _tell(row: Floats, fault: Fault) -> None:
    assert fault.root is not None
    row[at.KIND] = KINDS.index(FaultKind(fault.kind))
    row[at.ROOT] = SERVICES.index(fault.root)
    row[at.CHEAP_CURE] = ACTIONS.index(fault.cheap_cure)
    row[at.CPU_FRACTION] = 1.0
    match fault:
        case SingleOom():
            row[at.LEAK_MB] = fault.memory_leak_mb_per_step
        case DbConnectionLeak():
            row[at.DATABASE] = SERVICES.index(fault.database)
            row[at.FILL_STEPS] = fault.fill_steps
        case FlappingNetwork():
            flap = fault.flap
            row[at.CAUSE] = CAUSES.index(fault.cause)
            row[at.LOSS_SHARE] = flap.loss_share
            row[at.PERIOD], row[at.BURST] = flap.period_steps, flap.burst_steps
            row[at.PHASE] = flap.phase_steps
            if fault.cause is FlapCause.NOISY_NEIGHBOUR:
                burst = fault.burst()
                row[at.CPU_FRACTION] = burst.cpu_fraction
                row[at.NEIGHBOUR_PCT] = burst.neighbour_cpu_pct
        case _:
            raise ValueError(f"the simulator does not know the fault {type(fault).__name__}")
