"""A number that stands for the impairments of a process: equal where the impairments are.

A process exports that of what it was ordered and has not ended; the orchestrator compares it with
its own orders. Memory that leaks is left out: it is never healed.
"""

import json
import zlib
from collections.abc import Mapping

NOTHING_IMPAIRED = 0


def impairment_digest(
    *,
    held_connections: Mapping[str, int],
    partitioned: float,
    drop_ratio: float,
    cpu_fraction: float,
    neighbour_cpu_pct: float,
) -> int:
    """CRC-32 of the values, above 0; NOTHING_IMPAIRED where all are those of a healthy process."""
    held = sorted((pool, count) for pool, count in held_connections.items() if count)
    shares = [float(value) for value in (partitioned, drop_ratio, cpu_fraction, neighbour_cpu_pct)]
    if not held and shares == [0.0, 0.0, 1.0, 0.0]:
        return NOTHING_IMPAIRED
    return zlib.crc32(json.dumps([held, shares]).encode()) or 1
