"""`sre-autopilot dataset`: recorded episodes as JSON lines and Parquet, with schema and card."""

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from shlex import join
from typing import Annotated

import typer

from orchestrator.validation import parse_tier
from sre_autopilot.cli.errors import BadInput, bad_input, on_interrupt
from sre_autopilot.cli.options import JsonOption
from sre_autopilot.cli.output import messages_console, print_json, results_console
from sre_autopilot.dataset.card import CARD, card
from sre_autopilot.dataset.files import DatasetWriter, Format, JsonLines, OpenFile
from sre_autopilot.dataset.rows import episode_row, step_rows
from sre_autopilot.dataset.sources import Plan, played, record_files, recorded
from sre_autopilot.evaluation.progress import progress_bar
from sre_autopilot.grading import EpisodeRecord, Score
from sre_autopilot.models import parse_name
from sre_autopilot.policies import POLICY_NAMES, load_policy
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier

Episodes = Iterable[tuple[EpisodeRecord, Score]]


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
    as_json: JsonOption = False,
) -> None:
    """Make a data set: episodes played in the simulator, and records of any backend.

    Each step is a row: action, observation, truth. `datasets.load_dataset(OUT, "steps")` loads it.
    Unfinished episodes, and those that the machine decided, are left out of records.

    Example:
      sre-autopilot dataset runs/dataset --seeds 1000 --policies belief,runbook,oracle
      sre-autopilot dataset runs/dataset --seeds 0 --records runs/episodes --formats jsonl.gz
    """
    with bad_input():
        plan = Plan(
            [name for name in policies.split(",") if load_policy(name)],
            [parse_tier(tier) for tier in tiers.split(",")],
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
        _write(dataset, played(plan), "playing", plan.episodes)
        _write(dataset, recorded(files), "reading records", None)
    if not dataset.episodes:
        raise BadInput("there is no episode: --seeds is 0, and no finished one in --records")
    text = card(dataset.episodes, tuple(opened), join(("sre-autopilot", *sys.argv[1:])))
    (out / CARD).write_text(text, encoding="ascii")
    if as_json:
        print_json({"out": str(out), "episodes": dataset.episodes})
    else:
        count = sum(dataset.episodes.values())
        results_console().print(f"{count} episodes: {out}/{CARD}", soft_wrap=True, markup=False)


def _openers(names: str) -> dict[Format, OpenFile]:
    """What opens a file of each format. Raises UnknownName, ModuleNotFoundError without pyarrow."""
    openers: dict[Format, OpenFile] = {}
    for name in names.split(","):
        kind = parse_name(Format, "formats", name)
        if kind is Format.JSON_LINES:
            openers[kind] = JsonLines
        else:
            openers[kind] = import_module("sre_autopilot.dataset.parquet").Parquet
    return openers


def _write(dataset: DatasetWriter, episodes: Episodes, text: str, total: int | None) -> None:
    """Adds every episode, with a bar on a terminal."""
    with progress_bar(messages_console()) as progress:
        task = progress.add_task(text, total=total)
        for record, score in episodes:
            dataset.add(episode_row(record, score), step_rows(record, score))
            progress.advance(task)
