"""`sre-autopilot replay`: a recorded episode again, step by step, as its agent saw it."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from sre_autopilot.cli.errors import BadInput
from sre_autopilot.cli.grade import newest, read
from sre_autopilot.cli.keyboard import key_of, read_key, single_keys
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.cli.playback import KEYS_IN_WORDS, Playback
from sre_autopilot.cli.screen import episode_summary, screen
from sre_autopilot.grading import EpisodeRecord, StepRecord
from sre_autopilot.models import SREAction, SREObservation

SHORTEST_STEP_S = 0.5
"""A window of processes; a step of the simulator takes next to no time."""
ReadKey = Callable[[float | None], str | None]
"""The next key, or None after so many seconds without one; None for ever waits for one."""


def command(
    file: Annotated[
        Path, typer.Argument(help="Record of an episode, JSON lines; of a folder the newest.")
    ],
    *,
    speed: Annotated[
        float, typer.Option(min=0.0, max=1000.0, help="Times as fast as it was; 0: keys step.")
    ] = 1.0,
    first: Annotated[int, typer.Option("--from", min=0, help="Step to begin with.")] = 0,
    summary: Annotated[
        bool, typer.Option(help="Say at the end what was broken, and the score.")
    ] = True,
) -> None:
    """Replay a record: every step as its agent saw it, at any speed, forwards and backwards.

    On a terminal keys go on: space pauses, n and p (or the arrows) step, + and - change the speed,
    g and G go to the beginning and the end, q quits. On a pipe all steps are printed at once.

    Example:
      sre-autopilot replay docs/examples/episode.jsonl
      sre-autopilot replay docs/examples/episode.jsonl --speed 8 --from 10
    """
    for _file, record, score in read(newest(file)):
        if first >= len(record.steps):
            raise BadInput(f"--from: {first}: the last step of {file} is {len(record.steps) - 1}")
        screens = [_screen(record, step) for step in record.steps]
        if sys.stdin.isatty() and messages_console().is_terminal:
            playback = Playback([_duration_s(step) for step in record.steps], speed, first)
            with _live() as draw, single_keys(sys.stdin.fileno()):
                play_back(playback, screens, draw, lambda s: read_key(sys.stdin.fileno(), s))
        else:
            for table in screens[first:]:
                results_console().print(table)
        if summary:
            results_console().print(episode_summary(record, score, explain=True))


def play_back(
    playback: Playback,
    screens: Sequence[RenderableType],
    draw: Callable[[RenderableType], None],
    next_key: ReadKey,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Draws one of `screens` after the other, as time and keys have it, until a key quits.

    clock: seconds, never going back.
    """
    arrived = clock()
    while not playback.is_over:
        draw(Group(screens[playback.position], _status(playback)))
        wait_s = playback.wait_s
        left_s = None if wait_s is None else max(0.0, arrived + wait_s - clock())
        text = next_key(left_s)
        key = None if text is None else key_of(text)
        before = playback.position
        if text is None:
            playback = playback.due()
        elif key is not None:
            playback = playback.pressed(key)
        if playback.position != before:
            arrived = clock()


def _status(playback: Playback) -> Text:
    state = "paused" if playback.wait_s is None else f"{playback.speed:g} x"
    return Text(f"{state}   {KEYS_IN_WORDS}", "dim")


def _screen(record: EpisodeRecord, step: StepRecord) -> RenderableType:
    if not step.observed:
        raise BadInput(f"{record.episode_id}: step {step.step} has no observation in it")
    taken = step.action
    action = None
    if taken is not None:
        action = SREAction(action=taken.action, service_id=taken.service_id)
    return screen(record.tier, action, SREObservation.model_validate(step.observed))


def _duration_s(step: StepRecord) -> float:
    return max(step.duration_s or 0.0, SHORTEST_STEP_S)


@contextmanager
def _live() -> Iterator[Callable[[RenderableType], None]]:
    with Live(console=messages_console(), auto_refresh=False, transient=True) as live:
        yield lambda drawing: live.update(drawing, refresh=True)
