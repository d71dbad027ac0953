"""The actions as tools: names, descriptions and parameters, for libraries that let a model call."""

from collections.abc import Mapping
from typing import Any

from sre_autopilot.llm.prompt import EFFECTS
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName

SERVICE_ID = "service_id"
SERVICE_HELP = f"one of {', '.join(Service)}"


def needs_service(action: ActionName) -> bool:
    return action is not ActionName.WAIT


def describe(action: ActionName) -> str:
    """One sentence: what it does and what it costs."""
    words = action.replace("_", " ").capitalize()
    return f"{words}: {EFFECTS[action]}; cost {ACTION_COSTS[action]}."


def parameters(action: ActionName) -> dict[str, Any]:
    """JSON schema of the arguments of a call."""
    service = {"type": "string", "enum": [*Service], "description": SERVICE_HELP}
    names = [SERVICE_ID] if needs_service(action) else []
    return {
        "type": "object",
        "properties": dict.fromkeys(names, service),
        "required": names,
        "additionalProperties": False,
    }


def functions() -> list[Mapping[str, Any]]:
    """All of them, as the Responses API of OpenAI takes them."""
    return [
        {
            "type": "function",
            "name": str(action),
            "description": describe(action),
            "parameters": parameters(action),
            "strict": True,
        }
        for action in ActionName
    ]
