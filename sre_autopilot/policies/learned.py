"""The learned policy: a small network that was trained in the simulator (`sre-autopilot train`).

It reads what every agent observes, and what to remember of that, it has learned too. The world's
rules are nowhere in it: what it knows of them, it found out by playing.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies.policy import WAIT, Briefing
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

if TYPE_CHECKING:
    from sre_autopilot.policies.network import Network

WEIGHTS = Path(__file__).parent / "weights" / "learned.npz"
_ACTIONS, _SERVICES = tuple(ActionName), tuple(Service)


class Learned:
    """Takes the action that the network values most, of those that would be accepted."""

    name = "learned"
    privileged = False
    needs_traces = True
    weights = WEIGHTS
    """The file that it plays by."""
    _network: Network
    _newest: Any
    _state: Any

    def begin(self, briefing: Briefing) -> None:
        """Raises InvalidValue where the weights are not there, or of another world version."""
        # Imported late: NumPy starts threads, which a process that forks services must not have.
        from sre_autopilot.history.newest import blank_newest  # noqa: PLC0415

        self._network, self._newest = _loaded(self.weights), blank_newest(1)
        self._state = self._network.blank_state(1)

    def fork(self) -> Learned:
        """Another one that has observed the same; from here on the two go on apart."""
        return copy(self)  # what it keeps is replaced at each step, never written to

    def act(self, observation: SREObservation) -> SREAction:
        from sre_autopilot.history.newest import advance_newest  # noqa: PLC0415
        from sre_autopilot.history.rows import row_of  # noqa: PLC0415

        row = row_of(observation, trace_edges=True)[None]
        self._newest = advance_newest(self._newest, row)
        flat, self._state = self._network.actions(self._newest, self._state)
        action, service = divmod(int(flat[0]), len(_SERVICES))
        if _ACTIONS[action] is ActionName.WAIT:
            return WAIT
        return SREAction(action=_ACTIONS[action], service_id=_SERVICES[service])


@cache
def _loaded(weights: Path) -> Network:
    """Once a process: a thousand lanes share one network, which nothing changes."""
    from sre_autopilot.policies.network import load  # noqa: PLC0415

    return load(weights)
