"""A trial, outcomes, and a world of nothing whose server is a script."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sre_autopilot.evaluation.chaos_test.outcomes import Outcome
from sre_autopilot.evaluation.chaos_test.plan import Moment, Trial
from sre_autopilot.evaluation.chaos_test.session import NO_ANSWER, Answer
from sre_autopilot.evaluation.chaos_test.world import Victims
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

OK = Answer(200, "", 0.01, {"done": False})
REFUSED = Answer(503, "", 0.01, {"error": "episode_abandoned", "detail": "reset begins another"})
BROKEN = Answer(None, NO_ANSWER, 0.01)
BUG = Answer(500, "Internal Server Error", 0.01)

RESET_S = 0.002
"""What a reset takes, so that a kill may fall in it."""
TRIAL = Trial(
    number=1,
    kind="part",
    moment=Moment.STEP,
    tier=Tier.EASY,
    seed=1,
    steps=2,
    action=ActionName.RESTART,
    service=Service.USER_DB,
    fraction=0.0,
    draw=0,
)


def outcome(**changes: Any) -> Outcome:
    """Of a kill that went well, but for these fields."""
    well = Outcome(TRIAL, ("part",), "200", 0.5, (), 1.0, "aborted", ())
    return replace(well, **changes)


class ScriptedSession:
    """Answers every call with the next answer of its kind, the last one again and again."""

    def __init__(self, **answers: Sequence[Answer]) -> None:
        self.answers = {name: list(each) for name, each in answers.items()}
        self.calls: list[str] = []

    def __call__(self, url: str) -> "ScriptedSession":
        return self

    async def reset(self, tier: Tier, seed: int, episode_id: str | None = None) -> Answer:
        await asyncio.sleep(RESET_S)
        return self._next("reset")

    async def wait(self) -> Answer:
        return self._next("wait")

    async def step(self, trial: Trial) -> Answer:
        return self._next("step")

    async def close(self) -> Answer:
        return self._next("close")

    async def __aenter__(self) -> "ScriptedSession":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass

    def _next(self, name: str) -> Answer:
        self.calls.append(name)
        script = self.answers.get(name, [OK])
        return script.pop(0) if len(script) > 1 else script[0]


class FakeWorld:
    """Nothing runs in it."""

    url = "http://nowhere.invalid"
    patience_s = 0.0

    def __init__(
        self,
        victims: Victims = Victims(("part",)),  # noqa: B008 - it is frozen
        *,
        kinds: Sequence[str] = ("part",),
        residues: Sequence[str] = (),
        unwell: Sequence[str] = (),
        record: tuple[str, str | None] = ("aborted", None),
    ) -> None:
        self.kinds = kinds
        self.killed: list[Victims] = []
        self._victims, self._residues, self._unwell = victims, residues, unwell
        self._record = record
        self.renewed = False

    async def start(self) -> None:
        pass

    def victims(self, kind: str, draw: int) -> Victims:
        return self._victims

    def kill(self, victims: Victims) -> None:
        self.killed.append(victims)

    def residues(self, victims: Victims, *, renewed: bool = False) -> list[str]:
        self.renewed = renewed
        return list(self._residues)

    def unwell(self) -> list[str]:
        return list(self._unwell)

    def record(self, episode_id: str) -> tuple[str, str | None]:
        return self._record
