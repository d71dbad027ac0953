"""The faults there are, by name. Explicit: a fault that is not listed here does not exist."""

import pkgutil
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from chaos.fault import Fault
from chaos.faults.db_connection_leak import DbConnectionLeak
from chaos.faults.flapping_network import FlappingNetwork
from chaos.faults.noop import NoFault
from chaos.faults.single_oom import SingleOom
from sre_autopilot.world.vocabulary import FaultKind


@runtime_checkable
class FaultClass(Protocol):
    """What a class of faults must offer to be played."""

    def draw(self, seed: int) -> Fault:
        """The fault of `seed`: equal seeds give equal faults."""
        ...


FAULTS: tuple[tuple[FaultKind, FaultClass], ...] = (
    (FaultKind.NONE, NoFault),
    (FaultKind.SINGLE_OOM, SingleOom),
    (FaultKind.DB_CONNECTION_LEAK, DbConnectionLeak),
    (FaultKind.FLAPPING_NETWORK, FlappingNetwork),
)


def by_name(faults: Iterable[tuple[str, FaultClass]] = FAULTS) -> Mapping[str, FaultClass]:
    """The registry as a mapping. Raises ValueError for a name that stands twice."""
    named: dict[str, FaultClass] = {}
    for name, fault_class in faults:
        if name in named:
            raise ValueError(f"fault {name!r} is registered twice; valid faults: {_valid()}")
        named[name] = fault_class
    return named


def load_fault(name: str) -> FaultClass:
    """A shipped fault by its name, or anybody's as "module:Class". Raises ValueError."""
    if name in (shipped := by_name()):
        return shipped[name]
    try:
        found: object = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"unknown fault {name!r} ({error}); valid faults: {_valid()}") from error
    if not isinstance(found, FaultClass):
        raise ValueError(f"{name!r} is no fault, it cannot draw; valid faults: {_valid()}")
    return found


def _valid() -> str:
    names = ", ".join(name for name, _ in FAULTS)
    return f"{names}, or module:Class with a classmethod draw(seed)"
