"""Impairments that do not hold: noted for the record, mended once, and the end of the episode when
that did not help. Never seen by an agent.
"""

from collections.abc import Mapping

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.errors import ImpairmentLost
from orchestrator.telemetry.window import Window
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.topology import USERS


class Lapses:
    """Those of the last window of one episode, by name of the process."""

    def __init__(self) -> None:
        self._last: frozenset[str] = frozenset()

    def to_heal(self) -> Mapping[ReplicaId, Impairments]:
        """What to order of each that lapsed, unless the episode impairs it."""
        return {ReplicaId.parse(name): NO_IMPAIRMENTS for name in self._last - {USERS}}

    def check(self, window: Window, problems: list[str]) -> None:
        """Adds to `problems` what lapsed in `window`.

        Raises ImpairmentLost where a process lapses in two windows in a row.
        """
        again = self._last.intersection(window.lapsed)
        self._last = frozenset(window.lapsed)
        problems.extend(
            f"step {window.step}: {name} was not impaired as ordered" for name in window.lapsed
        )
        if again:
            raise ImpairmentLost(", ".join(sorted(again)))
