"""Actions as numbers: pairs of an action and a service, or one number for both; and masks.

The engine takes pairs. A flat number is `action * services + service`; the last one is to wait, so
a flat mask is the beginning of the mask over pairs.
"""

from collections.abc import Collection, Iterable
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from sre_autopilot.errors import InvalidValue, UnknownName
from sre_autopilot.history.row_layout import ACTION_COUNT, SERVICE_COUNT
from sre_autopilot.models import parse_name
from sre_autopilot.simulator.rules import state_layout as layout
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

PAIRS, FLAT = "pairs", "flat"
CODINGS = (PAIRS, FLAT)
FLAT_WAIT = layout.WAIT * SERVICE_COUNT
FLAT_COUNT = FLAT_WAIT + 1
_ACTIONS = tuple(ActionName)


def mask_of(flat: Any) -> Any:
    """(..., actions, services), int8: 1 where the action would be accepted."""
    return flat.reshape(*flat.shape[:-1], ACTION_COUNT, SERVICE_COUNT)


class ActionCoding(Protocol):
    """One way to name actions by numbers."""

    def space(self) -> Any:
        """Of one environment."""
        ...

    def pairs(self, actions: Any, num_envs: int) -> Any:
        """(num_envs, 2) whole numbers. Raises InvalidValue for another shape or kind."""
        ...

    def mask(self, rows: Any) -> Any:
        """Of (..., MASK_SIZE) flags, the mask that goes with the space."""
        ...


class Pairs:
    """`MultiDiscrete([5, 7])`."""

    def space(self) -> spaces.MultiDiscrete:
        return spaces.MultiDiscrete([len(ActionName), len(Service)])

    def pairs(self, actions: Any, num_envs: int) -> Any:
        numbers = np.asarray(actions)
        if numbers.shape != (num_envs, 2) or numbers.dtype.kind not in "iu":
            expected = f"{num_envs} pairs of whole numbers, an action and its service"
            raise InvalidValue("actions", actions, expected)
        return numbers

    def mask(self, rows: Any) -> Any:
        return mask_of(rows)


class Flat:
    """`Discrete(29)`: four actions on seven services each, then wait."""

    def space(self) -> spaces.Discrete:
        return spaces.Discrete(FLAT_COUNT)

    def pairs(self, actions: Any, num_envs: int) -> Any:
        numbers = np.asarray(actions)
        whole = numbers.shape == (num_envs,) and numbers.dtype.kind in "iu"
        if not whole or not ((numbers >= 0) & (numbers < FLAT_COUNT)).all():
            expected = f"{num_envs} whole numbers, 0 to {FLAT_WAIT}"
            raise InvalidValue("actions", actions, expected)
        return np.stack(np.divmod(numbers, SERVICE_COUNT), axis=1)

    def mask(self, rows: Any) -> Any:
        return rows[..., :FLAT_COUNT]


def coding_of(name: str) -> ActionCoding:
    """Raises UnknownName."""
    if name not in CODINGS:
        raise UnknownName("actions", name, CODINGS)
    return Pairs() if name == PAIRS else Flat()


class Forbidden:
    """Actions that a curriculum takes away for a while: masked out, and played as `wait`.

    Raises UnknownName, and InvalidValue for `wait`, which cannot be forbidden.
    """

    def __init__(self, names: Iterable[str]) -> None:
        chosen = {parse_name(ActionName, "forbidden", name) for name in _as_names(names)}
        if ActionName.WAIT in chosen:
            valid = ", ".join(name for name in _ACTIONS if name is not ActionName.WAIT)
            raise InvalidValue("forbidden", str(ActionName.WAIT), f"some of {valid}")
        self.names: Collection[ActionName] = frozenset(chosen)
        self._numbers = [_ACTIONS.index(name) for name in chosen]

    def as_wait(self, pairs: Any) -> Any:
        """The pairs that are played."""
        if not self._numbers:
            return pairs
        return np.where(np.isin(pairs[:, :1], self._numbers), (layout.WAIT, 0), pairs)

    def mask_out(self, rows: Any) -> None:
        """Clears their flags in (..., MASK_SIZE) masks."""
        if self._numbers:
            mask_of(rows)[..., self._numbers, :] = 0


def _as_names(names: Iterable[str]) -> Iterable[str]:
    """A single name is the iterable that it was meant to be, not one of its letters."""
    return (names,) if isinstance(names, str) else names
