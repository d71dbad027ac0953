"""Fits which calls of an impaired service are lost, and in which window they are counted.

By least squares over windows in which one replica alone is impaired, or was in the window before.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from chaos.fault import NO_IMPAIRMENTS, Impairments
from sre_autopilot.simulator.calibration.evidence import (
    FAILED_COUNT,
    SERVICES,
    Floats,
    RecordedWindow,
)
from sre_autopilot.simulator.rules.traffic import STALL_SHARE
from sre_autopilot.world.topology import Service

FEWEST = 10
"""Windows from which a share can be told."""
Recorded = Sequence[RecordedWindow]
LostShare = Callable[[Impairments], float]


class _Loss(NamedTuple):
    """Shares of a service's calls that are lost in a window and in the one before; its calls at
    rest, and how many failed in the window.
    """

    now: float
    before: float
    calls: float
    failed: float


def deferred(recorded: Recorded, calls: Floats, early: float, window_share: float) -> float:
    """Share of the calls that hang which is counted in the next window.

    A share `early` of a window's calls meets the impairments of the window before, so that losses
    lag behind by both shares together.

    calls: means at rest, by service.
    window_share: of a window, that a time-out takes; the result where too few losses are recorded.
    """
    losses = _losses(recorded, calls, _lost_on_the_way)
    if len(losses) < FEWEST:
        return window_share
    now, before = _counted(losses)
    return float(np.clip(before / (now + before) - early, 0.0, 1.0))


def stall_lost(recorded: Recorded, calls: Floats) -> float:
    """Calls that a starved process loses, for each that `world.shapes.cpu_fraction_for` says; 1
    where too few losses are recorded. calls: means at rest, by service.
    """
    losses = _losses(recorded, calls, _lost_in_stalls)
    return float(sum(_counted(losses))) if len(losses) >= FEWEST else 1.0


def _lost_on_the_way(impairments: Impairments) -> float:
    return max(impairments.partitioned, impairments.drop_ratio)


def _lost_in_stalls(impairments: Impairments) -> float:
    return max(0.0, 1.0 - impairments.cpu_fraction - STALL_SHARE)


def _losses(recorded: Recorded, calls: Floats, lost: LostShare) -> list[_Loss]:
    losses = []
    for last, window in pairwise(recorded):
        services = {target.service for w in (last, window) for target in w.impairments}
        if not window.step or len(services) != 1:
            continue
        (service,) = services
        now, before = (_share(w, service, lost) for w in (window, last))
        if now is not None and before is not None and now + before > 0.0:
            s = SERVICES.index(service)
            losses.append(_Loss(now, before, calls[s], window.true[s, FAILED_COUNT]))
    return [loss for loss in losses if not np.isnan(loss.failed)]


def _share(window: RecordedWindow, service: Service, lost: LostShare) -> float | None:
    """None where something else is wrong, or more than one replica serves."""
    settled = window.settled and not window.deployment.open_breakers(window.step)
    if not settled or len(window.deployment.replicas[service]) != 1:
        return None
    impairments = window.impairments.get(window.deployment.first(service).id, NO_IMPAIRMENTS)
    share = lost(impairments)
    return share if share > 0.0 or impairments == NO_IMPAIRMENTS else None


def _counted(losses: Sequence[_Loss]) -> tuple[float, float]:
    """How many of a window's lost calls are counted in it, and how many in the next one."""
    now, before, calls, failed = np.array(losses).T
    shares = np.stack([calls * now, calls * before], axis=1)
    (in_it, in_the_next), *_ = np.linalg.lstsq(shares, failed, rcond=None)
    return float(in_it), float(in_the_next)
