"""The registry of faults: the shipped ones by name, others' as "module:Class"."""

from typing import Protocol, cast

from chaos.fault import Fault, FaultTable
from sre_autopilot.plugins import Registry, resolve
from sre_autopilot.world.vocabulary import FaultKind


class FaultClass(Protocol):
    """What a class of faults must offer to be played."""

    def draw(self, seed: int) -> Fault:
        """The fault of `seed`: equal seeds give equal faults."""
        ...


class ShippedFault(FaultClass, Protocol):
    """What a shipped class of faults offers beyond that."""

    table: FaultTable


FAULTS: Registry = {
    FaultKind.NONE: "chaos.faults.noop:NoFault",
    FaultKind.SINGLE_OOM: "chaos.faults.single_oom:SingleOom",
    FaultKind.DB_CONNECTION_LEAK: "chaos.faults.db_connection_leak:DbConnectionLeak",
    FaultKind.FLAPPING_NETWORK: "chaos.faults.flapping_network:FlappingNetwork",
}
"""A fault that is not listed here is not shipped."""


def load_fault(name: str) -> FaultClass:
    """A shipped fault by its name, or anybody's as "module:Class". Raises UnknownName."""
    return cast("FaultClass", resolve("fault", name, FAULTS, required="draw"))


def fault_table(kind: FaultKind) -> FaultTable:
    """What the documents say of a shipped fault."""
    return cast("ShippedFault", load_fault(kind)).table
