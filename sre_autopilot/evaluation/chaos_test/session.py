"""One session on a server that may be killed at any moment: a call answers, or says why not."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Self

import httpx

from sre_autopilot.evaluation.chaos_test.plan import Trial
from sre_autopilot.loopback import client_options
from sre_autopilot.world.vocabulary import ActionName, Tier

SESSION = "chaos-test"
CALL_TIMEOUT_S = 60.0
"""A call that takes longer hangs: a mesh has 30 s to be ready, and a step is shorter."""
NO_ANSWER, HANGS = "no answer", "hangs"
CLEAR_FAILURES = frozenset(
    {httpx.codes.NOT_FOUND, httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE}
)
"""What a call may be answered when a part of the world was killed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call got. status: None where the connection broke, or nothing came in time."""

    status: int | None
    text: str
    seconds: float
    body: dict[str, Any] | None = None

    @property
    def ok(self) -> bool:
        return self.status is not None and httpx.codes.is_success(self.status)

    def problem(self, server_was_killed: bool) -> str | None:
        """What is wrong with it as an answer in the middle of a kill; None: it is right."""
        if self.ok:
            return None
        if self.status is None:
            return None if server_was_killed and self.text == NO_ANSWER else self.text
        if self.status in CLEAR_FAILURES and (self.body or {}).get("detail"):
            return None
        return f"{self.status}: {self.text[:200]}"

    def __str__(self) -> str:
        kind = (self.body or {}).get("error") if not self.ok else None
        return " ".join(str(part) for part in (self.status or self.text, kind) if part)


class Session:
    """Calls of one session, one connection each: a killed server takes no later call with it."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=CALL_TIMEOUT_S,
            limits=httpx.Limits(max_keepalive_connections=0),
            **client_options(url),
        )

    async def reset(self, tier: Tier, seed: int, episode_id: str | None = None) -> Answer:
        body = {"task_tier": tier, "seed": seed, "episode_id": episode_id}
        return await self._post("/reset", {k: v for k, v in body.items() if v is not None})

    async def wait(self) -> Answer:
        return await self._post("/step", {"action": ActionName.WAIT})

    async def step(self, trial: Trial) -> Answer:
        return await self._post("/step", {"action": trial.action, "service_id": trial.service})

    async def close(self) -> Answer:
        return await self._answer(self._http.delete(f"/sessions/{SESSION}"))

    async def is_healthy(self) -> bool:
        return (await self._answer(self._http.get("/health"))).ok

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def _post(self, path: str, body: dict[str, Any]) -> Answer:
        return await self._answer(self._http.post(path, json={**body, "session_id": SESSION}))

    async def _answer(self, call: Awaitable[httpx.Response]) -> Answer:
        started = time.monotonic()
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                response = await call
        except (TimeoutError, httpx.TimeoutException):
            return Answer(None, HANGS, time.monotonic() - started)
        except httpx.TransportError:
            return Answer(None, NO_ANSWER, time.monotonic() - started)
        return Answer(
            response.status_code, response.text, time.monotonic() - started, _json(response)
        )


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
