"""What an episode is played on: the simulator in this process, or a server over HTTP.

Neither Gymnasium nor OpenEnv is needed for the second: some trainers pin packages that exclude
theirs.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from sre_autopilot.adapters.tasks import Task
from sre_autopilot.llm.pacing import pause_s
from sre_autopilot.loopback import make_client
from sre_autopilot.models import SREAction, SREObservation

if TYPE_CHECKING:
    from orchestrator.environment import Environment

CALL_S = 60.0
RESET_PATIENCE_S = 600.0
"""How long a reset waits for a session to become free: others' episodes end by then."""
BUSY = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
CURED = "cured"


class Connection(Protocol):
    """One episode after another. Its methods raise ConnectionError where the episode is lost."""

    async def reset(self, task: Task) -> SREObservation:
        """Begins an episode."""

    async def step(self, action: SREAction) -> SREObservation:
        """Plays an action."""

    async def terms(self) -> dict[str, float]:
        """The terms of the score of an episode that is over, each 0..1, and whether it was cured
        (1.0) or not (0.0).
        """

    async def close(self) -> None:
        """Ends what the connection started. Idempotent."""


class InProcess:
    """The simulator, in the event loop that calls it: a step takes a few milliseconds."""

    def __init__(self) -> None:
        self._environment: Environment | None = None

    async def reset(self, task: Task) -> SREObservation:
        if self._environment is None:
            from sre_autopilot.in_process import make_env  # noqa: PLC0415 - it loads NumPy

            self._environment = make_env()
        return await self._environment.reset_async(seed=task.seed, task_tier=task.tier)

    async def step(self, action: SREAction) -> SREObservation:
        assert self._environment is not None, "reset begins an episode"
        return await self._environment.step_async(action)

    async def terms(self) -> dict[str, float]:
        assert self._environment is not None, "reset begins an episode"
        score = self._environment.episode.score
        assert score is not None, "the episode is over"
        terms: dict[str, float] = score.model_dump(include={"sla", "speed", "budget", "root_cause"})
        return terms | {CURED: float(score.resolved)}

    async def close(self) -> None:
        environment, self._environment = self._environment, None
        if environment is not None:
            await environment.aclose()


class Served:
    """A session on a server; all of its calls must come from one event loop.

    base_url: where the server is, e.g. http://localhost:8000.

    Raises ValueError where the environment's proxies or certificates cannot be used.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url, self._http = base_url, make_client(base_url)
        self._session = f"rollout-{uuid.uuid4().hex}"

    async def reset(self, task: Task) -> SREObservation:
        """Waits for a free session, at most RESET_PATIENCE_S."""
        give_up = time.monotonic() + RESET_PATIENCE_S
        fields = {"task_tier": task.tier, "seed": task.seed}
        while True:
            answer = await self._send("POST", "/reset", json=fields | {"session_id": self._session})
            early_s = pause_s(answer.headers) or 1.0
            if answer.status_code not in BUSY or time.monotonic() + early_s > give_up:
                break
            await asyncio.sleep(early_s)
        reply = self._checked(answer)
        self._session = reply["session_id"]  # a judged server draws the name
        return _observation(reply)

    async def step(self, action: SREAction) -> SREObservation:
        fields = action.model_dump(mode="json") | {"session_id": self._session}
        return _observation(self._checked(await self._send("POST", "/step", json=fields)))

    async def terms(self) -> dict[str, float]:
        answer = await self._send("GET", "/grader", params={"session_id": self._session})
        reply = self._checked(answer)
        return {**reply["terms"], CURED: float(reply["resolved"])}

    async def close(self) -> None:
        if not self._http.is_closed:
            with suppress(ConnectionError):  # a server that is gone has no session either
                await self._send("DELETE", f"/sessions/{self._session}")
            await self._http.aclose()

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, timeout=CALL_S, **content)
        except httpx.HTTPError as error:
            reason = f"{type(error).__name__} {error}"
            raise ConnectionError(f"{self._base_url}{path}: {reason}") from error

    def _checked(self, answer: httpx.Response) -> Mapping[str, Any]:
        if answer.status_code != httpx.codes.OK:
            raise ConnectionError(f"{answer.url}: HTTP {answer.status_code} {answer.text}")
        reply: Mapping[str, Any] = answer.json()
        return reply


def _observation(reply: Mapping[str, Any]) -> SREObservation:
    """Reward and done travel beside the observation."""
    fields = {**reply["observation"], "reward": reply["reward"], "done": reply["done"]}
    return SREObservation.model_validate(fields)


def connect(base_url: str | None = None) -> Connection:
    """To the server at `base_url`; without one, the simulator in this process."""
    return InProcess() if base_url is None else Served(base_url)
