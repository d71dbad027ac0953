"""What callers give by name, checked at the door: errors name the field and the valid values."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast

from sre_autopilot.errors import InvalidAction, InvalidValue, UnknownName
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

E = TypeVar("E", bound=StrEnum)
MAX_SEED = 2**63 - 1
_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_FIELDS = {"action": ActionName, "service_id": Service}


def parse_tier(value: object) -> Tier:
    """Raises UnknownName."""
    return _parse(Tier, "task_tier", value)


def parse_seed(value: object) -> int | None:
    """Raises InvalidValue."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEED:
        return value
    raise InvalidValue("seed", value, f"a whole number from 0 to {MAX_SEED}")


def parse_id(field: str, value: object) -> str:
    """A name that may become part of a file's name. Raises InvalidValue."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise InvalidValue(field, value, "1 to 128 letters, digits or . _ : -")


def parse_action(action: SREAction | Mapping[str, Any]) -> SREAction:
    """An action from the wire or from Python. Raises UnknownName, InvalidAction."""
    if isinstance(action, SREAction):
        given: Mapping[str, Any] = {"action": action.action, "service_id": action.service_id}
    else:
        given = action
    for field in given:
        if field not in _FIELDS:
            raise UnknownName("field of the action", field, _FIELDS)
    if "action" not in given:
        raise InvalidAction("action", "is missing", ActionName)
    name = _parse(ActionName, "action", given["action"])
    service = given.get("service_id")
    if service is None and name is not ActionName.WAIT:
        raise InvalidAction("service_id", f"is missing, {name} needs one", Service)
    if service is not None:
        service = _parse(Service, "service_id", service)
    return SREAction(action=name, service_id=service)


def _parse(kind: type[E], field: str, value: object) -> E:
    try:
        return kind(cast("str", value))
    except ValueError:
        raise UnknownName(field, value, kind) from None
