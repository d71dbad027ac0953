"""An action as it comes over a socket, which may be none.

OpenEnv reads it before the session's environment can say whether a bad one is an error or, in a
lenient session, costs its step as a refused `wait`. So a bad one is carried as far as there.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sre_autopilot.models import SREAction


@dataclass(frozen=True)
class BadAction:
    """What was sent in place of an action."""

    error: ValidationError

    @property
    def reason(self) -> str:
        """What is wrong with it, with the valid values."""
        first = self.error.errors()[0]
        return str(first.get("ctx", {}).get("detail") or first["msg"])


class WireAction(SREAction):
    """Reads an action, or a BadAction; it has no instances of its own."""

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Any:
        """An SREAction or a BadAction; raises nothing."""
        try:
            return SREAction.model_validate(obj, **options)
        except ValidationError as error:
            return BadAction(error)

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        """The schema of what should be sent."""
        return SREAction.model_json_schema(*arguments, **options)
