"""From an `SREObservation` to its row, and back. Keeps nothing but what an agent observes."""

from typing import Any

import numpy as np

from sre_autopilot.history import row_layout as layout
from sre_autopilot.models import SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

_ACTIONS, _SERVICES = tuple(ActionName), tuple(Service)
_NO_CALLS = (0, layout.MISSING, layout.MISSING)


def row_of(observation: SREObservation, *, trace_edges: bool = False) -> Any:
    """(FEATURE_COUNT,) float32, with `trace_edges` SPAN_COUNT more: what a lane gives of it."""
    values: list[float] = []
    for metric in layout.METRICS:
        of_services = (getattr(observation.metrics[service], metric) for service in Service)
        values += [layout.MISSING if value is None else value for value in of_services]
    values += [observation.sla_status[service] for service in Service]
    last = observation.action_history[-1] if observation.action_history else None
    action = ActionName.WAIT if last is None else last.action
    service = None if last is None else last.service_id
    values += [
        observation.step,
        observation.remaining_restarts,
        observation.cost_spent,
        _ACTIONS.index(action),
        0 if service is None else _SERVICES.index(service),
        observation.last_action_error is not None,
    ]
    if trace_edges:
        values += _spans(observation)
    return np.array(values, np.float32)


def _spans(observation: SREObservation) -> list[float]:
    by_edge = {
        (edge.caller, edge.callee): [getattr(edge, field) for field in layout.SPAN_FIELDS]
        for edge in observation.trace_edges
    }
    rows = [by_edge.get(edge, _NO_CALLS) for edge in layout.SPAN_EDGES]
    return [value for of_field in zip(*rows, strict=True) for value in of_field]
