"""Reads a model's answer: finds the action in any text around it."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sre_autopilot.llm.prompt import one_line
from sre_autopilot.models import SREAction
from sre_autopilot.world.vocabulary import ActionName

LONGEST_ANSWER = 20_000
WAIT = SREAction(action=ActionName.WAIT)
THOUGHT = r"(?:think|thinking|thought|thoughts|reasoning|reflection)"
"""Tags that models put around their thoughts; some leave the opening one to the prompt."""
BEGIN = re.compile(rf"(?i:<{THOUGHT}(?:\s+\w+=[^<>]*)?>)|\[THINK\]")
END = re.compile(rf"(?i:</{THOUGHT}\s*>)|\[/THINK\]")


def text_of(content: Any) -> str:
    """The text of a chat message: a string, or parts of which those of type `text` are joined."""
    if isinstance(content, list):
        parts = (part for part in content if isinstance(part, Mapping))
        return "".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
    return str(content or "")


def parse_answer(text: str) -> SREAction:
    """The first JSON object in `text` after the thoughts; other keys than an action's are left out.

    Raises ValueError, in one line.
    """
    answer = _without_thoughts(text[-LONGEST_ANSWER:])
    for brace in re.finditer(r"\{", answer):
        with suppress(ValueError, RecursionError):
            fields = json.JSONDecoder().raw_decode(answer, brace.start())[0]
            break
    else:
        raise ValueError("no JSON object in the answer" if text.strip() else "the answer is empty")
    if fields.get("action") == ActionName.WAIT:
        return WAIT  # on no service, even if the answer names one
    try:
        return SREAction.parse(
            {key: fields[key] for key in SREAction.model_fields if key in fields}
        )
    except ValueError as error:
        raise ValueError(one_line(error)) from None


def _without_thoughts(text: str) -> str:
    """What follows the last end of a thought, up to the beginning of one that does not end."""
    return BEGIN.split(END.split(text)[-1])[0]
