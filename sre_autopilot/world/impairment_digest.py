"""A number that stands for the impairments of a process: equal where the impairments are.

A process exports that of what it was ordered and has not ended; the orchestrator compares it with
its own orders. Memory that leaks is left out: it is never healed.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Protocol

NOTHING_IMPAIRED = 0


class Healable(Protocol):
    """Impairments that end; what an order and a request body have in common."""

    @property
    def held_connections(self) -> Mapping[str, int]: ...
    @property
    def partitioned(self) -> float: ...
    @property
    def drop_ratio(self) -> float: ...
    @property
    def cpu_fraction(self) -> float: ...
    @property
    def neighbour_cpu_pct(self) -> float: ...


def impairment_digest(of: Healable) -> int:
    """CRC-32 of the values, above 0; NOTHING_IMPAIRED where all are those of a healthy process."""
    held = sorted((pool, count) for pool, count in of.held_connections.items() if count)
    values = (of.partitioned, of.drop_ratio, of.cpu_fraction, of.neighbour_cpu_pct)
    shares = [float(value) for value in values]
    if not held and shares == [0.0, 0.0, 1.0, 0.0]:
        return NOTHING_IMPAIRED
    return zlib.crc32(json.dumps([held, shares]).encode()) or 1
