"""A model as a player: asked within its limits, one bad answer repaired, else a wait."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

import openai
from openai.types.chat import ChatCompletionMessageParam as Message

from sre_autopilot.llm.answer import WAIT, parse_answer, text_of
from sre_autopilot.llm.decision import BAD_JSON, Clock, Decision, Sleep
from sre_autopilot.llm.limits import (
    BACKOFF_S,
    CALL_S,
    DECISION_S,
    FAILURES_IN_A_ROW,
    TAKEN,
    TRIES,
    TRIES_BY_STATUS,
    WINDOWS,
)
from sre_autopilot.llm.options import RequestOptions
from sre_autopilot.llm.pacing import pause_s
from sre_autopilot.llm.prompt import (
    ANSWER_TOKENS,
    QUOTED,
    REPAIR,
    SYSTEM,
    TOKENS_A_CALL,
    one_line,
    spell,
    tell,
    tokens_of,
)
from sre_autopilot.models import SREObservation

INVALID_JSON = "json_validate_failed"
"""The code of a refusal that is the model's fault: it did not keep to the format asked for."""
TIME_IS_UP = "time is up, the model is asked no more"


class ProviderError(Exception):
    """An error inside of an answer with status 200; `status` is its code, where that is one: a
    number, which some providers write as text.
    """

    def __init__(self, error: Any) -> None:
        code = str(error.get("code")) if isinstance(error, dict) else ""
        self.status = int(code) if code.isdecimal() else 0
        super().__init__(str(error.get("message", error) if isinstance(error, dict) else error))


class TimeIsUp(Exception):
    """The time for this decision ended within a call, which says nothing of the model."""


class ModelPlayer:
    """Asks the model `name` of `client`'s endpoint.

    clock, sleep: monotonic seconds, and how to let them pass.
    call_limit_s: how long one answer may take.
    """

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        name: str,
        clock: Clock,
        sleep: Sleep,
        *,
        call_limit_s: float = CALL_S,
    ) -> None:
        self.name, self._client, self._clock, self._sleep = name, client, clock, sleep
        self._call_limit_s = call_limit_s
        self._options = RequestOptions()
        self._ready_at, self._not_ready = 0.0, ""
        self._failures, self._last_failure = 0, ""

    def begin(self, seed: int) -> None:
        """Forgets the last episode; a model that was unreachable gets one more chance."""
        self._windows = deque[SREObservation](maxlen=WINDOWS)
        self._taken = deque[str](maxlen=TAKEN)
        self._failures = min(self._failures, FAILURES_IN_A_ROW - 1)

    async def decide(self, observation: SREObservation, deadline: float) -> Decision:
        """The model's action, by `deadline`; waiting where it gives none."""
        self._windows.append(observation)
        decision = await self._think(deadline)
        if decision.action != WAIT:
            self._taken.append(f"{observation.step + 1} {spell(decision.action)}")
        return decision

    async def _think(self, deadline: float) -> Decision:
        wrong, calls = "", list[dict[str, Any]]()
        if self._clock() >= deadline:
            return Decision(WAIT, TIME_IS_UP)
        if self._failures >= FAILURES_IN_A_ROW:
            return Decision(WAIT, f"model unreachable: {self._last_failure}")
        try:
            for _ in ("answer", "repair"):
                calls.append(await self._ask(self._messages(wrong), deadline))
                try:
                    return Decision(parse_answer(calls[-1]["answer"]), None, calls)
                except ValueError as error:
                    wrong = str(error)
        except TimeIsUp:
            wrong = TIME_IS_UP
        except ConnectionError as error:
            self._failures, self._last_failure = self._failures + 1, str(error)
            wrong = self._last_failure
        return Decision(WAIT, wrong, calls)

    def _messages(self, wrong: str) -> list[Message]:
        repair = REPAIR.format(wrong[:QUOTED]) if wrong else ""
        budget = TOKENS_A_CALL - ANSWER_TOKENS - tokens_of(SYSTEM + repair)
        prompt = tell(list(self._windows), self._taken, budget)
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt + repair}]

    async def _ask(self, messages: list[Message], deadline: float) -> dict[str, Any]:
        """Question, answer and cost. Raises ConnectionError, TimeIsUp at `deadline`."""
        over, tries = min(deadline, self._clock() + DECISION_S), 0
        while self._ready_at < over:
            await self._sleep(max(0.0, self._ready_at - self._clock()))
            try:
                return await self._call(messages, over, deadline)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if _code_of(error) == INVALID_JSON:
                    return {"messages": messages, "answer": ""}
                if not self._options.narrow(str(error)):
                    raise ConnectionError(self._reason(error)) from error
            except (openai.OpenAIError, ProviderError, TimeoutError, *BAD_JSON) as error:
                tries += 1
                status, headers = _status_and_headers(error)
                early_s = max(pause_s(headers), min(2.0 ** (tries - 1), BACKOFF_S))
                self._ready_at, self._not_ready = self._clock() + early_s, self._reason(error)
                if tries >= TRIES_BY_STATUS.get(status, TRIES):
                    raise ConnectionError(self._not_ready) from error
        left_s = self._ready_at - self._clock()
        raise ConnectionError(f"{self._not_ready}; next try possible in {left_s:.0f} s")

    async def _call(self, messages: list[Message], over: float, deadline: float) -> dict[str, Any]:
        asked = self._clock()
        limit_s = min(self._call_limit_s, over - asked)
        try:
            # The client's own time-out limits the pauses of an answer, not its whole.
            async with asyncio.timeout(limit_s):
                raw = await self._client.chat.completions.with_raw_response.create(
                    model=self.name, messages=messages, **self._options.arguments
                )
        except TimeoutError as error:
            if self._clock() >= deadline:
                raise TimeIsUp from error
            raise TimeoutError(f"no answer within {limit_s:g} s") from error
        if early_s := pause_s(raw.headers):
            self._ready_at, self._not_ready = self._clock() + early_s, "rate limit"
        body = json.loads(raw.text)
        if isinstance(body, dict) and body.get("error"):
            raise ProviderError(body["error"])
        answer, usage = body["choices"][0]["message"].get("content"), body.get("usage") or {}
        cost = {"latency_s": round(self._clock() - asked, 3), "tokens": usage.get("total_tokens")}
        self._failures = 0
        return {"messages": messages, "answer": text_of(answer), **cost}

    def _reason(self, error: Exception) -> str:
        """In one line, without the key."""
        return one_line(f"{type(error).__name__} {error}").replace(self._client.api_key, "*")


def _code_of(error: openai.APIError) -> object:
    return error.body.get("code") if isinstance(error.body, dict) else None


def _status_and_headers(error: Exception) -> tuple[int, Mapping[str, str]]:
    """Of the answer that refused; 0 and no header where there was none."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code, error.response.headers
    return getattr(error, "status", 0), {}
