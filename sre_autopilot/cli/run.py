"""`sre-autopilot run`: one policy plays episodes in this process, step by step on a screen."""

import secrets
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.live import Live

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from sre_autopilot.cli.errors import on_interrupt
from sre_autopilot.cli.options import (
    BackendOption,
    JsonOption,
    RecordDirOption,
    SeedOption,
    TierOption,
    read_settings,
)
from sre_autopilot.cli.output import TEXT_WIDTH, messages_console, print_json, results_console
from sre_autopilot.cli.screen import episode_summary, screen
from sre_autopilot.grading import EpisodeRecord, Score
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import Watch, play
from sre_autopilot.world.vocabulary import Tier

DRAWN_SEEDS = 2**31


@dataclass
class Episodes:
    """Episodes of one policy on consecutive seeds, those that have ended so far."""

    policy: str
    tier: Tier
    record_dir: Path
    played: list[tuple[EpisodeRecord, Score]] = field(default_factory=list)

    @property
    def mean(self) -> float | None:
        """Of the scores that count; None where there is none."""
        scores = [score.total for record, score in self.played if record.checked_validity.counts]
        return statistics.fmean(scores) if scores else None

    @property
    def left_out(self) -> int:
        """Episodes that were contended or broken."""
        return sum(not record.checked_validity.counts for record, _score in self.played)

    def as_json(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "tier": self.tier,
            "mean": self.mean,
            "left_out": self.left_out,
            "episodes": [episode_json(*played, self.record_dir) for played in self.played],
        }

    def summary(self) -> str:
        """How many were played, their mean score, and where the records are."""
        text = f"{len(self.played)} episode{'' if len(self.played) == 1 else 's'}"
        if self.mean is not None:
            text += f", mean score {self.mean:.3f}"
        if self.left_out:
            text += f" without the {self.left_out} whose scores cannot be trusted"
        files = [record_file(record, self.record_dir) for record, _score in self.played]
        if None in files:
            return f"{text}; {files.count(None)} without a record, as the log says"
        return f"{text}; records: {self.record_dir}"


def episode_json(record: EpisodeRecord, score: Score, record_dir: Path) -> dict[str, Any]:
    """One episode as plain values, with the file that holds all of it."""
    file = record_file(record, record_dir)
    return {
        "seed": record.seed,
        "backend": record.backend,
        "finished": record.finished,
        "steps": len(record.steps) - 1,
        "faults": [fault.model_dump(mode="json") for fault in record.faults],
        "score": score.model_dump(mode="json"),
        "validity": record.checked_validity.model_dump(mode="json"),
        "record": None if file is None else str(file),
    }


def record_file(record: EpisodeRecord, record_dir: Path) -> Path | None:
    """Where the record of an episode is; None where it could not be written."""
    file = record_dir / f"{record.episode_id}.jsonl"
    return file if file.is_file() else None


def command(
    policy: Annotated[str, typer.Argument(help="A policy's name, or module:Class.")],
    *,
    tier: TierOption = Tier.EASY,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes, one seed each.")] = 1,
    seed: SeedOption = None,
    backend: BackendOption = None,
    record_dir: RecordDirOption = None,
    explain: Annotated[bool, typer.Option(help="Say where points were lost.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let one policy play, watch every step, and read a summary of each episode.

    Example:
      sre-autopilot run runbook --tier hard --seed 3
      sre-autopilot run my_module:MyPolicy --backend simulator --json
    """
    settings = read_settings(backend=backend)
    player = load_policy(policy)
    folder = record_dir or settings.record_dir or Path("runs/run")
    first_seed = secrets.randbelow(DRAWN_SEEDS) if seed is None else seed
    played = Episodes(policy, tier, folder)
    make, draw = make_backend(settings), drawing(settings.fault)
    with (
        on_interrupt(lambda: f"interrupted after {played.summary()}"),
        Environment(make, draw, folder) as environment,
    ):
        for number in range(episodes):
            this_seed = first_seed + number
            title = f"{tier}, seed {this_seed}, episode {number + 1} of {episodes}"
            with watching(tier, title) as watch:
                ended = play(environment, player, tier, this_seed, watch=watch)
            played.played.append(ended)
            if not as_json:
                results_console(TEXT_WIDTH).print(episode_summary(*ended, explain=explain))
    if as_json:
        print_json(played.as_json())
    else:
        results_console().print(played.summary(), soft_wrap=True, markup=False)


@contextmanager
def watching(tier: Tier, title: str) -> Iterator[Watch]:
    """A function that shows each step of an episode on a terminal; a pipe gets its title alone."""
    console = messages_console()
    if not console.is_terminal:
        console.print(title, markup=False)
        yield lambda _action, _observation: None
        return
    with Live(f"{title}: starting", console=console, transient=True) as live:
        yield lambda action, observation: live.update(
            screen(tier, action, observation), refresh=True
        )
