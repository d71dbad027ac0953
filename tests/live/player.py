"""Plays over HTTP, beside a container or, read by `python -c`, inside one that has no network.

Prints one JSON object: `player.py health URL TIMEOUT_S` or `player.py play URL SESSION`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import httpx

from sre_autopilot.world.vocabulary import ActionName, Tier

POLL_S = 0.05
CALL_TIMEOUT_S = 60
SEED = 7
NEARLY_FULL_PCT = 60.0


async def health(base_url: str, timeout_s: float) -> dict[str, Any]:
    """What `/health` says as soon as it says anything; raises TimeoutError."""
    began = time.monotonic()
    async with asyncio.timeout(timeout_s), httpx.AsyncClient(base_url=base_url) as client:
        while True:
            try:
                answer = await client.get("/health")
            except httpx.TransportError:
                await asyncio.sleep(POLL_S)
            else:
                waited_s = time.monotonic() - began
                return {"status": answer.status_code, "said": answer.json(), "waited_s": waited_s}


def choose(observation: Mapping[str, Any]) -> dict[str, Any]:
    """Restarts the service with the fullest memory, the README's first rule."""
    memory = {s: m["memory_pct"] or 0.0 for s, m in observation["metrics"].items()}
    fullest = max(memory, key=lambda service: memory[service])
    if memory[fullest] > NEARLY_FULL_PCT and observation["remaining_restarts"]:
        return {"action": ActionName.RESTART, "service_id": fullest}
    return {"action": ActionName.WAIT}


def play(base_url: str, session: str) -> dict[str, Any]:
    """One whole episode of the easy tier."""
    with httpx.Client(base_url=base_url, timeout=CALL_TIMEOUT_S) as client:

        def ask(route: str, body: Mapping[str, Any]) -> dict[str, Any]:
            answer = client.post(route, json={**body, "session_id": session})
            if answer.is_error:
                raise RuntimeError(f"{route}: {answer.status_code} {answer.text}")
            return dict(answer.json())

        answers = [ask("/reset", {"task_tier": Tier.EASY, "seed": SEED})]
        while not answers[-1]["done"]:
            answers.append(ask("/step", choose(answers[-1]["observation"])))
    return {
        "rewards": [answer["reward"] for answer in answers],
        "steps": [answer["observation"]["step"] for answer in answers],
        "seen": sorted(
            service
            for service, metrics in answers[0]["observation"]["metrics"].items()
            if metrics["latency_p99"] is not None
        ),
    }


def grade(base_url: str) -> float:
    """What the heuristic, played by the server, scores on the same episode."""
    path = f"/grader?tier={Tier.EASY}&seed={SEED}"
    answer = httpx.get(f"{base_url}{path}", timeout=CALL_TIMEOUT_S)
    return float(answer.raise_for_status().json()["score"])


def main(verb: str, base_url: str, argument: str) -> dict[str, Any]:
    if verb == "health":
        return asyncio.run(health(base_url, float(argument)))
    return play(base_url, argument)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
