"""A disk that fills up and a folder of records that goes, while episodes are played on processes.

A full disk is a limit of the server's file sizes: every write fails, its log's too, and what it
starts inherits that. It needs no rights and harms nobody else.
"""

import resource
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sre_autopilot.evaluation.chaos_test.process_world import ProcessWorld
from sre_autopilot.evaluation.chaos_test.session import Answer, Session
from sre_autopilot.evaluation.chaos_test.trials import CLEAN_WITHIN_S, until_empty
from sre_autopilot.evaluation.chaos_test.world import WorldFailed
from sre_autopilot.world.vocabulary import Tier

STEPS = 2
SEED = 7


@dataclass(frozen=True, slots=True)
class DiskOutcome:
    """What was wrong in a scenario; nothing, if all is well."""

    scenario: str
    problems: tuple[str, ...]


async def full_in_an_episode(world: ProcessWorld, session: Session) -> list[str]:
    """The episode goes on without its record."""
    answers = [await session.reset(Tier.CONTROL, SEED)]
    with full_disk(world):
        answers += [await session.wait() for _ in range(STEPS)]
        answers.append(await session.close())
    return failures(answers)


async def full_at_a_reset(world: ProcessWorld, session: Session) -> list[str]:
    """The reset is refused as unavailable, if the mesh cannot do without a disk."""
    await session.close()
    with full_disk(world):
        answer = await session.reset(Tier.CONTROL, SEED)
        await session.close()
    return [f"reset: {problem}" for problem in [answer.problem(server_was_killed=False)] if problem]


async def folder_vanishes(world: ProcessWorld, session: Session) -> list[str]:
    """The episode goes on, and the next record has a folder again."""
    answers = [await session.reset(Tier.CONTROL, SEED)]
    shutil.rmtree(world.records)
    answers += [await session.wait() for _ in range(STEPS)]
    return failures([*answers, await session.close()])


async def folder_cannot_be_written(world: ProcessWorld, session: Session) -> list[str]:
    """The episode is played without a record."""
    with replaced_by_a_file(world.records):
        answers = [await session.reset(Tier.CONTROL, SEED)]
        answers += [await session.wait() for _ in range(STEPS)]
        answers.append(await session.close())
    return failures(answers)


SCENARIOS: Mapping[str, Callable[[ProcessWorld, Session], Awaitable[list[str]]]] = {
    "disk full in an episode": full_in_an_episode,
    "disk full at a reset": full_at_a_reset,
    "record folder vanishes": folder_vanishes,
    "record folder cannot be written": folder_cannot_be_written,
}


async def play_scenario(name: str, world: ProcessWorld) -> DiskOutcome:
    """Plays it; then nothing of its mesh may be left, and the next episode is played and recorded.

    Raises WorldFailed.
    """
    await world.start()
    async with Session(world.url) as session:
        problems = await SCENARIOS[name](world, session)
        problems += await until_empty(world.leftovers_of_meshes, CLEAN_WITHIN_S)
        episode_id = f"after-{name.replace(' ', '-')}"
        answers = [await session.reset(Tier.CONTROL, SEED, episode_id), await session.wait()]
        problems += [f"afterwards, {failure}" for failure in failures(answers)]
        if not (world.records / f"{episode_id}.jsonl").exists():
            problems.append("the next episode has no record")
        await session.close()
    return DiskOutcome(name, tuple(problems))


def failures(answers: list[Answer]) -> list[str]:
    """Those that are no success."""
    return [f"call {number}: {a}" for number, a in enumerate(answers, start=1) if not a.ok]


@contextmanager
def full_disk(world: ProcessWorld) -> Iterator[None]:
    """Every write of the server, and of what it starts meanwhile, fails. Raises WorldFailed."""
    server = world.parts().server
    if server is None:
        raise WorldFailed("no server runs")
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def replaced_by_a_file(folder: Path) -> Iterator[None]:
    """No rights needed, and it stops root too, whom a read-only folder would not."""
    aside = folder.with_name(f"{folder.name}-aside")
    folder.rename(aside)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)
