"""What a model is asked for besides its messages: an answer's form and its length.

Endpoints differ: newer models refuse `max_tokens` and a temperature, many know no JSON schema. What
one refuses is left out from then on.
"""

from typing import Any

from sre_autopilot.llm.prompt import ANSWER_TOKENS
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

SCHEMA = {
    "type": "object",
    "properties": {
        "action": {"type": "string", "enum": [*ActionName]},
        "service_id": {"anyOf": [{"type": "string", "enum": [*Service]}, {"type": "null"}]},
    },
    "required": ["action", "service_id"],
    "additionalProperties": False,
}
FORMATS: tuple[dict[str, Any], ...] = (
    {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "action", "strict": True, "schema": SCHEMA},
        }
    },
    {"response_format": {"type": "json_object"}},
    {},
)
LIMITS: tuple[dict[str, Any], ...] = (
    {"max_tokens": ANSWER_TOKENS, "temperature": 0},
    {"max_completion_tokens": ANSWER_TOKENS},
)
WORDS_OF_LIMITS = ("max_tokens", "max_completion_tokens", "temperature")


class RequestOptions:
    """The options that an endpoint has not refused so far."""

    def __init__(self) -> None:
        self._formats, self._limits = list(FORMATS), list(LIMITS)

    @property
    def arguments(self) -> dict[str, Any]:
        """Those to ask with next."""
        return {**self._formats[0], **self._limits[0]}

    def narrow(self, refusal: str) -> bool:
        """Leaves out what `refusal`, the endpoint's text, is about; where it does not say, the
        format first. False where nothing is left to leave out.
        """
        is_about_limits = any(word in refusal for word in WORDS_OF_LIMITS)
        order = (self._limits, self._formats) if is_about_limits else (self._formats, self._limits)
        for options in order:
            if len(options) > 1:
                del options[0]
                return True
        return False
