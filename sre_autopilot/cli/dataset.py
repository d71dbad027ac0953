"""`sre-autopilot dataset`: recorded episodes as JSON lines and Parquet, with schema and card."""

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from shlex import join
from typing import Annotated

import typer

from orchestrator.validation import parse_tier
from sre_autopilot.cli.errors import BadInput, bad_input, on_interrupt
from sre_autopilot.cli.options import listed
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.dataset.card import CARD, card
from sre_autopilot.dataset.files import DatasetWriter, Format, JsonLines, OpenFile
from sre_autopilot.dataset.rows import episode_row, step_rows
from sre_autopilot.dataset.sources import Plan, played, record_files, recorded
from sre_autopilot.debrief.report import process_rewards
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.grading import EpisodeRecord, Score
from sre_autopilot.models import parse_name
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier

Episodes = Iterable[tuple[EpisodeRecord, Score]]
RewardsOf = Callable[[EpisodeRecord], Sequence[float]]
"""Of each action of a record."""


def command(
    out: Annotated[Path, typer.Argument(help="Folder of the data set; new, or empty.")],
    *,
    policies: Annotated[str, typer.Option(help="Comma-separated: names or module:Class.")] = (
        ",".join(POLICY_NAMES)
    ),
    tiers: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(Tier),
    seeds: Annotated[int, typer.Option(min=0, help="Simulated seeds a tier and policy.")] = 10,
    first_seed: Annotated[int, typer.Option(min=0, help="The first; it decides the split.")] = (
        SEED_SPLITS["train"][0]
    ),
    records: Annotated[
        list[Path] | None, typer.Option(help="Records to take in too: files, or folders of them.")
    ] = None,
    formats: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(Format),
    with_process_rewards: Annotated[
        bool, typer.Option("--process-rewards", help="Value every action; a second an episode.")
    ] = False,
) -> None:
    """Make a data set: episodes played in the simulator, and records of any backend.

    Each step is a row: action, observation, truth. `datasets.load_dataset(OUT, "steps")` loads it.
    Unfinished episodes, and those that the machine decided, are left out of records.

    Example:
      sre-autopilot dataset runs/dataset --seeds 1000 --policies belief,runbook
      sre-autopilot dataset runs/real --seeds 0 --records runs/episodes
    """
    with bad_input():
        plan = Plan(
            [name for name in listed(policies) if load_policy(name)],
            [parse_tier(tier) for tier in listed(tiers)],
            range(first_seed, first_seed + seeds),
        )
        opened = _openers(formats)
        files = record_files(records or ())
        for file in files:
            file.open("rb").close()  # one that is not there is named before anything is played
        if out.is_dir() and any(out.iterdir()):
            raise BadInput(f"{out}: holds files already; name a new folder")
        dataset = DatasetWriter(out, opened)
    with on_interrupt(lambda: f"interrupted: {out} holds {dataset.episodes or 'nothing'}"), dataset:
        rewards = process_rewards if with_process_rewards else None
        _write(dataset, _with_progress(played(plan), "playing", plan.episodes), rewards)
        _write(dataset, _with_progress(recorded(files), "reading records", None), rewards)
    if not dataset.episodes:
        raise BadInput("there is no episode: --seeds is 0, and no finished one in --records")
    text = card(dataset.episodes, tuple(opened), join(("sre-autopilot", *sys.argv[1:])))
    (out / CARD).write_text(text, encoding="ascii")
    count = sum(dataset.episodes.values())
    results_console().print(f"{count} episodes: {out}/{CARD}", soft_wrap=True, markup=False)


def _openers(names: str) -> dict[Format, OpenFile]:
    """What opens a file of each format. Raises UnknownName, ModuleNotFoundError without pyarrow."""
    openers: dict[Format, OpenFile] = {}
    for name in listed(names):
        kind = parse_name(Format, "formats", name)
        if kind is Format.JSON_LINES:
            openers[kind] = JsonLines
        else:
            openers[kind] = import_module("sre_autopilot.dataset.parquet").Parquet
    return openers


def _with_progress(episodes: Episodes, text: str, total: int | None) -> Episodes:
    """The same episodes, with a bar on a terminal."""
    with progress_bar(messages_console()) as progress:
        yield from progress.track(episodes, total=total, description=text)


def _write(dataset: DatasetWriter, episodes: Episodes, rewards_of: RewardsOf | None) -> None:
    for record, score in episodes:
        rewards = None if rewards_of is None else rewards_of(record)
        dataset.add(episode_row(record, score), step_rows(record, score, rewards))
