"""A whole chaos test: a world, its trials, and the outcomes so far."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.errors import BackendError
from sre_autopilot.errors import UnknownName
from sre_autopilot.evaluation.chaos_test.disk import SCENARIOS, DiskOutcome, play_scenario
from sre_autopilot.evaluation.chaos_test.outcomes import Outcome, as_json
from sre_autopilot.evaluation.chaos_test.plan import draw_trials
from sre_autopilot.evaluation.chaos_test.process_world import ProcessWorld
from sre_autopilot.evaluation.chaos_test.trials import Trials
from sre_autopilot.evaluation.chaos_test.world import World, WorldFailed

MakeWorld = Callable[[], AbstractAsyncContextManager[World]]


@dataclass(frozen=True, slots=True)
class Order:
    """So many kills of these kinds of parts (none named: of all), drawn from a seed."""

    kills: int
    seed: int
    kinds: tuple[str, ...] = ()

    def kinds_of(self, world: World) -> Sequence[str]:
        """Raises UnknownName for a kind that the world does not have."""
        for kind in self.kinds:
            if kind not in world.kinds:
                raise UnknownName("only", kind, sorted(set(world.kinds)))
        return self.kinds or world.kinds


@dataclass
class ChaosTest:
    """Runs an order.

    outcomes, disk: what came of it, they grow while it runs.
    spoilt: episodes that failed before anything was killed, and were replaced.
    failure: why it ended before its time, if it did.
    """

    order: Order
    make_world: MakeWorld
    outcomes: list[Outcome] = field(default_factory=list)
    disk: list[DiskOutcome] = field(default_factory=list)
    spoilt: int = 0
    failure: str | None = None

    @property
    def good(self) -> bool:
        kills_are_good = all(outcome.good for outcome in self.outcomes)
        return self.failure is None and kills_are_good and not any(o.problems for o in self.disk)

    def as_json(self, backend: str) -> dict[str, Any]:
        """A JSON document with all of it."""
        kills = len(self.outcomes)
        about = {"backend": backend, "seed": self.order.seed, "kills": kills, "good": self.good}
        disk = [asdict(outcome) for outcome in self.disk]
        about["spoilt"] = self.spoilt
        return as_json(self.outcomes, **about, failure=self.failure, disk=disk)

    async def run(self, report: Callable[[Outcome], None]) -> None:
        """Calls `report` after each kill. Raises UnknownName."""
        try:
            async with self.make_world() as world:
                await self._run(world, report)
        except (WorldFailed, BackendError) as error:
            self.failure = str(error)

    async def _run(self, world: World, report: Callable[[Outcome], None]) -> None:
        trials = draw_trials(self.order.kinds_of(world), self.order.seed)
        player = Trials(world)
        async for outcome in player.play(trials, self.order.kills):
            self.outcomes.append(outcome)
            self.spoilt = player.spoilt
            report(outcome)
        if isinstance(world, ProcessWorld):
            for name in SCENARIOS:
                self.disk.append(await play_scenario(name, world))
