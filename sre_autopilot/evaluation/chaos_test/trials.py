"""Plays trials: an episode up to a moment, a kill, and then what is left and what works again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any

from sre_autopilot.evaluation.chaos_test.outcomes import Outcome
from sre_autopilot.evaluation.chaos_test.plan import Moment, Trial
from sre_autopilot.evaluation.chaos_test.records import NONE
from sre_autopilot.evaluation.chaos_test.session import Answer, Session
from sre_autopilot.evaluation.chaos_test.world import Victims, World, WorldFailed
from sre_autopilot.world.vocabulary import IMPAIRMENT_TTL_S, MAX_STEPS, Tier

CLEAN_WITHIN_S = 2 * IMPAIRMENT_TTL_S
POLL_S = 0.02
WELL_WITHIN_S = 5.0
"""How long after a reset the last of the old world may still be ending."""
FIRST_GUESS_S = 1.0
RETRY_S = 0.2
MOST_SPOILT = 10
UNAVAILABLE = 503


class Trials:
    """Plays one trial after the other on one world, and learns how long its calls take."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._usual_s: dict[tuple[Moment, bool], float] = {}
        self.spoilt = 0

    async def play(self, trials: Iterable[Trial], kills: int) -> AsyncIterator[Outcome]:
        """The outcomes of so many kills. A trial in which nothing was killed does not count: one
        that failed before its kill, as on a machine that is too busy (`spoilt` counts these), and
        one whose moment met nothing to kill, as a mesh that is closed is gone at some point.

        Raises WorldFailed where the world cannot be started again, or fails all the time.
        """
        left, in_a_row = kills, 0
        for trial in trials:
            outcome = await self._play(trial)
            in_a_row = in_a_row + 1 if outcome is None else 0
            self.spoilt += outcome is None
            if in_a_row == MOST_SPOILT:
                raise WorldFailed(f"{MOST_SPOILT} episodes in a row failed before any kill")
            if outcome is not None and (outcome.victims or not outcome.good):
                yield outcome
                left -= 1
            if left == 0:
                return

    async def _play(self, trial: Trial) -> Outcome | None:
        """None where the episode failed before its kill."""
        world = self._world
        await world.start()
        async with Session(world.url) as session:
            if not await self._prepare(trial, session):
                return None
            call, victims = await self._strike(trial, session)
            struck_s, under_way = time.monotonic(), not call.done()
            left = await until_empty(
                lambda: world.residues(
                    victims, renewed=under_way and _renews(trial, call, victims)
                ),
                CLEAN_WITHIN_S,
            )
            clean_s = None if left else time.monotonic() - struck_s
            answer = await call
        reset_s, problems = await self._reset_again(trial)
        if problem := answer.problem(victims.ends_server):
            problems.append(f"{trial.moment}: {problem}")
        record, problem = world.record(trial.episode_id)
        if record == NONE and trial.moment is not Moment.RESET:
            problem = problem or "the episode has no record"
        return Outcome(
            trial=trial,
            victims=victims.names,
            answer=str(answer),
            clean_s=clean_s,
            residues=tuple(left),
            reset_s=reset_s,
            record=record,
            problems=(*problems, *filter(None, [problem])),
        )

    async def _prepare(self, trial: Trial, session: Session) -> bool:
        """Plays up to the call in which the kill falls; false where a call failed."""
        if trial.moment is Moment.RESET:
            if self._is_cold(trial):
                await session.close()
            return True
        answers = [await session.reset(trial.tier, trial.seed, trial.episode_id)]
        last = MAX_STEPS - 1 if trial.moment is Moment.LAST_STEP else trial.steps
        while answers[-1].ok and len(answers) <= last and not (answers[-1].body or {}).get("done"):
            answers.append(await session.wait())
        return answers[-1].ok

    async def _strike(self, trial: Trial, session: Session) -> tuple[asyncio.Task[Answer], Victims]:
        """Kills in the middle of the call: the call under way, and the victims."""
        usual = (trial.moment, self._is_cold(trial))
        call = asyncio.create_task(self._call(trial, session))
        call.add_done_callback(lambda done: self._learn(usual, done))
        await asyncio.sleep(self._usual_s.get(usual, FIRST_GUESS_S) * trial.fraction)
        victims = self._world.victims(trial.kind, trial.draw)
        while not victims.names and not call.done():  # it begins to exist during a reset
            await asyncio.sleep(POLL_S)
            victims = self._world.victims(trial.kind, trial.draw)
        self._world.kill(victims)
        return call, victims

    def _call(self, trial: Trial, session: Session) -> Coroutine[Any, Any, Answer]:
        match trial.moment:
            case Moment.RESET:
                return session.reset(trial.tier, trial.seed, trial.episode_id)
            case Moment.STEP | Moment.LAST_STEP:
                return session.step(trial)
            case Moment.CLOSE:
                return session.close()
            case Moment.IDLE:
                return self._idle(session)

    async def _idle(self, session: Session) -> Answer:
        """The kill falls while no call is made; a step comes after it."""
        await asyncio.sleep(FIRST_GUESS_S)
        return await session.wait()

    def _is_cold(self, trial: Trial) -> bool:
        """Half of the kills in a reset fall while a mesh starts from nothing."""
        return trial.moment is Moment.RESET and trial.draw % 2 == 1

    def _learn(self, usual: tuple[Moment, bool], done: asyncio.Task[Answer]) -> None:
        if not done.cancelled() and done.result().ok:
            self._usual_s[usual] = done.result().seconds

    async def _reset_again(self, trial: Trial) -> tuple[float | None, list[str]]:
        """How long the next reset took (None: it failed), and what is wrong after it."""
        try:
            await self._world.start()
        except WorldFailed as error:
            return None, [str(error)]
        started = time.monotonic()
        async with Session(self._world.url) as session:
            answer = await session.reset(Tier.CONTROL, trial.seed)
            while (
                answer.status in (None, UNAVAILABLE)
                and time.monotonic() - started < self._world.patience_s
            ):
                await asyncio.sleep(RETRY_S)
                answer = await session.reset(Tier.CONTROL, trial.seed)
        if not answer.ok:
            return None, [f"the next reset: {answer}"]
        seconds = time.monotonic() - started
        patience_s = max(WELL_WITHIN_S, self._world.patience_s)
        return seconds, await until_empty(self._world.unwell, patience_s)


def _renews(trial: Trial, call: asyncio.Task[Answer], victims: Victims) -> bool:
    """Whether the call was a reset that went on after the kill, with a new mesh. The answer of a
    server that was killed had left before, and its mesh ends with it.
    """
    is_answered = call.done() and call.result().ok
    return trial.moment is Moment.RESET and is_answered and not victims.ends_server


async def until_empty(problems: Callable[[], list[str]], timeout_s: float) -> list[str]:
    """Waits until there are none; those that are left when the time is over."""
    end_s = time.monotonic() + timeout_s
    while (left := problems()) and time.monotonic() < end_s:
        await asyncio.sleep(POLL_S)
    return left
