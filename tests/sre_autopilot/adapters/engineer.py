"""A scripted engineer: reads the text that a model reads, and writes what a model might."""

import json
import re

from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

KEY = f"{Tier.EASY}-3"
NONSENSE = "I would rather have a coffee."
MISNAMED = json.dumps({"action": ActionName.RESTART, "service_id": "the_database"})
WAIT = json.dumps({"action": ActionName.WAIT, "service_id": None})
FIRST_ANSWERS = (NONSENSE, MISNAMED)
"""They cost a step each, and end nothing."""
ROW = re.compile(r"(?m)^(\w+)!?: (.*)$")


def fullest(window: str) -> str | None:
    """The service whose memory, in the text of a window, is above 85 %."""
    memory = {
        name: row.split(", ")[-1].split(" ")[-1]
        for name, row in ROW.findall(window)
        if name in {*Service}
    }
    full = {name: int(value) for name, value in memory.items() if value != "-"}
    worst = max(full, key=lambda name: full[name], default="")
    return worst if full.get(worst, 0) > 85 else None


def decide(window: str) -> tuple[str, str | None]:
    """Restarts what is full, and waits otherwise."""
    service = fullest(window)
    return (ActionName.RESTART, service) if service else (ActionName.WAIT, None)


def answer(window: str) -> str:
    """The same in a model's words."""
    action, service = decide(window)
    text = json.dumps({"action": action, "service_id": service, "why": "memory"})
    return f"<think>{{not this}}</think>\n```json\n{text}\n```"


def check(metrics: dict[str, float]) -> None:
    """What every adapter reports of an episode that this engineer played to its end."""
    assert metrics.keys() == {
        *("score", "sla", "speed", "budget", "root_cause"),
        *("cured", "steps", "restarts", "unreadable"),
    }
    assert metrics["unreadable"] == len(FIRST_ANSWERS) and metrics["steps"] >= 3
    assert all(0.0 <= metrics[name] <= 1.0 for name in ("score", "sla", "budget", "cured"))
    weighed = (
        0.3 * metrics["sla"]
        + 0.15 * (metrics["speed"] + metrics["budget"])
        + 0.4 * metrics["root_cause"]
    )
    assert abs(metrics["score"] - (0.01 + 0.98 * weighed)) < 1e-3
