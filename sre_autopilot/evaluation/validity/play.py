"""Plays shortened episodes beside busy threads, and keeps what each window measured."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress

from orchestrator.environment import Environment
from orchestrator.errors import BackendError
from sre_autopilot.evaluation.validity.cpu_hogs import cpu_hogs
from sre_autopilot.evaluation.validity.rows import CalibrationWindow
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.models import SREAction
from sre_autopilot.world.vocabulary import ActionName, Tier

WAIT = SREAction(action=ActionName.WAIT)


@dataclass(frozen=True, slots=True)
class CalibrationEpisode:
    """One episode to play: nobody acts in it."""

    hogs: int
    tier: Tier
    seed: int


def episodes(hogs: Sequence[int], count: int, first_seed: int) -> Iterator[CalibrationEpisode]:
    """`count` control episodes beside each number of hogs, in turn, so that what changes on the
    machine meanwhile touches all alike; and half as many of each other tier beside none, to show
    whether faults are taken for a busy machine.
    """
    for number in range(count):
        for beside in hogs:
            yield CalibrationEpisode(beside, Tier.CONTROL, first_seed + number)
    for tier in Tier:
        if tier is not Tier.CONTROL:
            for number in range((count + 1) // 2):
                yield CalibrationEpisode(0, tier, first_seed + number)


def play_all(
    todo: Sequence[CalibrationEpisode],
    new_environment: Callable[[], Environment],
    out: Path,
    progress: Progress,
    *,
    steps: int,
) -> None:
    """Appends the windows of each episode to `out` as it ends; one that fails is named and left
    out.
    """
    bar = progress.add_task("episodes", total=len(todo))
    with new_environment() as environment:
        for episode in todo:
            progress.advance(bar)
            try:
                with cpu_hogs(episode.hogs):
                    record = _play(environment, episode, steps)
            except BackendError as error:
                progress.console.print(f"{episode}: {error}", markup=False)
                continue
            with out.open("a", encoding="ascii") as lines:
                for window in CalibrationWindow.of(record, episode.hogs):
                    lines.write(window.model_dump_json() + "\n")


def _play(environment: Environment, episode: CalibrationEpisode, steps: int) -> EpisodeRecord:
    observation = environment.reset(seed=episode.seed, task_tier=episode.tier)
    while not observation.done and observation.step < steps:
        observation = environment.step(WAIT)
    return environment.hidden_state()
