"""What the filter takes from the simulator's fitted parameters: levels at rest, and slopes.

The policy is frozen: each value is rounded, so that a refit that moves a parameter by less than
half a unit of its rounding leaves the policy as it is. Loads NumPy: import it late.
"""

import numpy as np

from sre_autopilot.simulator import parameters
from sre_autopilot.world.topology import Service

BACKEND = "process"
"""The backend on which the policy was frozen."""


def _rounded(value: float, unit: float) -> float:
    """The nearest multiple of `unit`."""
    # Dividing by the inverse keeps 0.43 and 21.5 what their literals are; 43 * 0.01 is not 0.43.
    per_unit = round(1.0 / unit) if unit < 1.0 else 1.0 / unit
    return round(value * per_unit) / per_unit


_FITTED = parameters.load(BACKEND)
_INDEX = {service: index for index, service in enumerate(Service)}
_PAYMENT = _INDEX[Service.PAYMENT_GATEWAY]
_BROWSE, _LOGIN, _CHECKOUT = _FITTED.arrivals
# Only a checkout calls the payment gateway, once.
PAYMENT_CALLS = _rounded(_CHECKOUT, 0.5)
"""Calls to the payment gateway in a window."""
DEFERRED = _rounded(_FITTED.deferred, 0.01)
"""Share of a window's lost calls that are counted one window later: they still hang at its end."""
EARLY = _rounded(_FITTED.early, 0.01)
"""Share of a window's calls that are made before what impairs them changes."""
PAYMENT_CPU_REST_PCT = _rounded(
    _FITTED.cpu_idle_pct[_PAYMENT] + _FITTED.cpu_call_pct[_PAYMENT] * _CHECKOUT, 1.0
)
"""CPU of the payment gateway at rest, percent of its limit."""
PAYMENT_CPU_CALLS_PCT = _rounded(_FITTED.cpu_call_pct[_PAYMENT] * _CHECKOUT, 0.5)
"""The part of it that its calls cost."""
PAYMENT_CPU_LOST_PCT = _rounded(_FITTED.cpu_lost_pct[_PAYMENT] * _CHECKOUT, 0.5)
"""What they cost besides where all are lost: their callers hang up and connect anew."""
MEMORY_REST_PCT = _rounded(float(np.median(_FITTED.memory_pct)), 5.0)
"""Memory of a grown process, percent of its limit: the middle of all services."""
PAYMENT_P99_REST_MS = _rounded(float(np.median(_FITTED.latency_ms[_PAYMENT])), 5.0)
"""Median p99 of the payment gateway at rest."""
P99_PER_CONNECTION_MS = _rounded(_FITTED.contention_ms, 0.5)
"""p99 that each connection held adds at a database: the others share what is left of the pool."""
P99_LAST_CONNECTION_MS = _rounded(_FITTED.last_connection_ms, 0.5)
"""p99 on top of that where one connection is left, so that calls queue for it."""
