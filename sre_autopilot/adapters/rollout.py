"""An episode as a conversation: what a model reads, and what becomes of anything it writes."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from functools import cache
from typing import Any, TypeVar

from sre_autopilot.adapters.connection import CURED, Connection, connect
from sre_autopilot.adapters.tasks import Task
from sre_autopilot.grading.score import LOWEST, WEIGHTS
from sre_autopilot.llm.answer import WAIT, parse_answer
from sre_autopilot.llm.prompt import BY_TOOL, SYSTEM, TASK, one_line, tell_window
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.vocabulary import MAX_RESTARTS, ActionName

T = TypeVar("T")
INSTRUCTIONS, TOOL_INSTRUCTIONS = SYSTEM, f"{TASK}\n{BY_TOOL}"
"""The first message, for models that answer in text, and for those that call tools."""


class Rollout:
    """One episode. Nothing that a model writes raises: what cannot be read costs a step.

    base_url: a server's; without one, the simulator in this process.
    """

    def __init__(self, base_url: str | None = None) -> None:
        self._connection: Connection = connect(base_url)
        self._now: SREObservation | None = None
        self._terms: Mapping[str, float] = {}
        self._unreadable = 0

    async def begin(self, task: Task) -> str:
        """Begins an episode; the text of its first window. Raises ConnectionError."""
        self._now, self._terms, self._unreadable = None, {}, 0
        self._now = await self._connection.reset(task)
        return tell_window(self._now)

    async def answer(self, text: str) -> str:
        """Plays the action in a model's text; as `act`."""
        try:
            action = parse_answer(text)
        except ValueError as error:
            return await self._refuse(str(error))
        return await self.act(action)

    async def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Plays the action of a model's tool call; as `act`. `wait` may name a service."""
        try:
            if tool == ActionName.WAIT:
                action = WAIT
            else:
                action = SREAction.parse({"action": tool, **(arguments or {})})
        except (TypeError, ValueError) as error:
            return await self._refuse(one_line(error))
        return await self.act(action)

    async def act(self, action: SREAction) -> str:
        """Plays an action; the text of the window after it, or of the end.

        Raises EpisodeOver before the first `begin` and after the last step, and ConnectionError
        where the episode is lost.
        """
        if self._now is None or self.done:
            raise EpisodeOver
        self._now = await self._connection.step(action)
        if not self.done:
            return tell_window(self._now)
        self._terms = await self._connection.terms()
        return f"The episode is over, the score is {self.score:.3f}."

    async def close(self) -> None:
        """Ends the episode and what it is played on. Idempotent."""
        await self._connection.close()

    @property
    def done(self) -> bool:
        return self._now is not None and self._now.done

    @property
    def score(self) -> float:
        """The episode's reward, 0.01..0.99; the lowest of them until it is over."""
        return self._now.reward if self._now is not None and self._now.done else LOWEST

    @property
    def metrics(self) -> dict[str, float]:
        """What a trainer logs, always the same names: the score and its terms (0..1, 0 until the
        episode is over), cured (0 or 1), steps, restarts and answers that could not be read.
        """
        now = self._now
        return {
            "score": self.score,
            **{name: self._terms.get(name, 0.0) for name in (*WEIGHTS, CURED)},
            "steps": 0.0 if now is None else float(now.step),
            "restarts": 0.0 if now is None else float(MAX_RESTARTS - now.remaining_restarts),
            "unreadable": float(self._unreadable),
        }

    async def _refuse(self, reason: str) -> str:
        text = await self.act(WAIT)
        self._unreadable += 1
        return f"This was read as {WAIT.action}: {reason}\n{text}"


class EpisodeOver(ValueError):
    """No episode has begun, or it has had its last step: trainers take a ValueError for that."""

    def __init__(self) -> None:
        super().__init__("the episode is over: begin another")


class BlockingRollout:
    """A Rollout for trainers whose environments are not async; they share one thread."""

    def __init__(self, base_url: str | None = None) -> None:
        self._rollout = Rollout(base_url)

    def begin(self, task: Task) -> str:
        return _wait_for(self._rollout.begin(task))

    def answer(self, text: str) -> str:
        return _wait_for(self._rollout.answer(text))

    def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> str:
        return _wait_for(self._rollout.call(tool, arguments))

    def close(self) -> None:
        _wait_for(self._rollout.close())

    @property
    def done(self) -> bool:
        return self._rollout.done

    @property
    def score(self) -> float:
        return self._rollout.score

    @property
    def metrics(self) -> dict[str, float]:
        return self._rollout.metrics


def first_messages(task: Task, base_url: str | None = None) -> list[dict[str, str]]:
    """Goal and first window, for trainers whose prompts are all written before training.

    Raises ConnectionError.
    """
    rollout = BlockingRollout(base_url)
    try:
        window = rollout.begin(task)
    finally:
        rollout.close()
    return [
        {"role": "system", "content": TOOL_INSTRUCTIONS},
        {"role": "user", "content": window},
    ]


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Runs in a daemon thread as long as the process: no trainer says when the last one is over."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="rollouts", daemon=True).start()
    return loop


def _wait_for(call: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(call, _loop()).result()
