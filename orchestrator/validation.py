"""Arguments of a reset, checked where they come in: errors name the argument and what is valid.

Actions check themselves: see `SREAction`.
"""

import re

from sre_autopilot.errors import InvalidValue
from sre_autopilot.models import parse_name
from sre_autopilot.world.vocabulary import Tier

MAX_SEED = 2**63 - 1
"""Services take the seed as eight bytes, signed."""
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
"""A file of this name is neither hidden, nor a folder, nor an option of a command."""


def parse_tier(value: object) -> Tier:
    """Raises UnknownName."""
    return parse_name(Tier, "task_tier", value)


def parse_seed(value: object) -> int | None:
    """A whole number, as JSON has them: 3.0 is one. Raises InvalidValue."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEED:
        return value
    raise InvalidValue("seed", value, f"a whole number from 0 to {MAX_SEED}")


def parse_id(field: str, value: object) -> str:
    """A name that may become part of a file's name. Raises InvalidValue."""
    if isinstance(value, str) and re.fullmatch(ID_PATTERN, value):
        return value
    raise InvalidValue(field, value, "1 to 128 letters, digits or . _ : -, a letter or digit first")
