"""The main job, for people to watch: a server, an on-call engineer at its door, three episodes.

Standard output has the engineer's lines and the story of each episode; the screen is on standard
error. Plays nothing itself: `inference.py` does, over HTTP, as any agent would.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from orchestrator.settings import Settings
from server.server_process import served, started
from sre_autopilot import grading
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.vocabulary import DEFAULT_TIERS

POLL_S = 0.1
LOG, LOG_TAIL = "demo.log", 2_000

console = Console(stderr=True)
out = Console()
MET, BROKEN = "[green]met[/green]", "[bold red]broken[/bold red]"


def screen(tier: str, action: SREAction | None, observation: SREObservation) -> Table:
    """What the engineer sees after a step."""
    doing = "the episode begins" if action is None else spell(action)
    table = Table(title=f"{tier}  step {observation.step}/{observation.max_steps}  {doing}")
    for column in ("service", "SLA", "p99 ms", "errors", "cpu %", "memory %"):
        table.add_column(column, justify="left" if column == "service" else "right", min_width=8)
    for service, metrics in observation.metrics.items():
        met = observation.sla_status[service]
        values = (metrics.latency_p99, metrics.error_rate, metrics.cpu_pct, metrics.memory_pct)
        cells = ("-" if value is None else f"{value:g}" for value in values)
        table.add_row(service, MET if met else BROKEN, *cells)
    return table


def spell(action: SREAction) -> str:
    """An action in words."""
    return f"{action.action} {action.service_id or ''}".strip()


def story(record: grading.EpisodeRecord, score: grading.Score) -> str:
    """What was broken, what was done, when it recovered, and the score."""
    broken = [
        f"{fault.kind} at {fault.root} (" + ", ".join(map(_pair, fault.parameters.items())) + ")"
        for fault in record.faults
    ]
    done = [
        f"step {step.step}: {taken.action} {taken.service_id}"
        + ("" if taken.accepted else " (refused)")
        + (" - the cure" if taken.cures else "")
        for step in record.steps
        if (taken := step.action) is not None and taken.service_id is not None
    ]
    when = "never" if score.recovered_at is None else f"at step {score.recovered_at}"
    terms = ", ".join(f"{term} {getattr(score, term):.2f}" for term in grading.WEIGHTS)
    return "\n".join(
        (
            f"[bold]{record.tier}[/bold], seed {record.seed}",
            f"  broken     {'; '.join(broken)}",
            f"  done       {'; '.join(done) or 'nothing'}",
            f"  recovered  {when}",
            f"  score      [bold]{score.total:.3f}[/bold] ({terms})",
        )
    )


def _pair(named: tuple[str, object]) -> str:
    name, value = named
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"


class Records:
    """The records in a folder, read while a server writes them there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._tiers: dict[Path, str] = {}

    def files(self) -> list[Path]:
        """In the order in which they were last written."""
        return sorted(self._folder.glob("*.jsonl"), key=lambda file: file.stat().st_mtime_ns)

    def new_screens(self) -> Iterator[Table]:
        """Of the steps since the last look; a line that is still being written has to wait."""
        for file in self.files():
            begun = self._read.get(file, 0)
            with file.open(encoding="ascii") as lines:
                lines.seek(begun)
                whole, _, _ = lines.read().rpartition("\n")
            self._read[file] = begun + len(whole) + bool(whole)
            for line in whole.splitlines():
                match json.loads(line):
                    case {"type": "episode", "tier": tier}:
                        self._tiers[file] = tier
                    case {"type": "step", "action": taken, "observed": seen}:
                        action = taken and SREAction(
                            action=taken["action"], service_id=taken["service_id"]
                        )
                        yield screen(self._tiers[file], action, SREObservation.model_validate(seen))


async def watch(player: asyncio.subprocess.Process, records: Records) -> None:
    """Draws every step on standard error and hands the player's lines on, until it is done."""

    async def hand_on() -> None:
        assert player.stdout is not None
        async for line in player.stdout:
            print(line.decode(), end="", flush=True)

    with Live(console=console, auto_refresh=False, transient=True) as live:
        lines = asyncio.create_task(hand_on())
        while not lines.done():
            for table in records.new_screens():
                live.update(table, refresh=True)
            await asyncio.wait([lines], timeout=POLL_S)
        await lines


async def play(folder: Path, arguments: Sequence[str]) -> int:
    """The player's exit status. Raises RuntimeError where the server does not start."""
    with (folder / LOG).open("wb") as log, console.status("the server starts") as status:
        async with served(folder, log) as (url, _server):
            status.stop()
            infer = ("inference.py", "--base-url", url, *arguments)
            async with started(infer, log, stdout=asyncio.subprocess.PIPE) as player:
                await watch(player, Records(folder))
                return await player.wait()


def tell(folder: Path) -> None:
    """The story of every episode that was played to its end."""
    for file in Records(folder).files():
        for record in grading.read_episodes(file.read_text(encoding="ascii").splitlines()):
            out.print(story(record, grading.grade(record)))
    out.print(f"records: {folder}/*.jsonl (regrade one: python grader.py FILE --explain)")


def main(
    policy: Annotated[
        str | None, typer.Option(help="who plays: a name or module:Class, instead of a model")
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of the episodes")] = 7,
    tiers: Annotated[str, typer.Option(help="comma-separated")] = ",".join(DEFAULT_TIERS),
) -> None:
    """Plays TIERS on seven real services, and tells the story of each."""
    settings = Settings.from_env(os.environ)
    record_dir = settings.record_dir or Path("runs")
    record_dir.mkdir(parents=True, exist_ok=True)
    chosen = ("--policy", policy) if policy else ()
    arguments = ("--seed", str(seed), "--tiers", tiers, *chosen)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=record_dir))
    try:
        status = asyncio.run(play(folder, arguments))
    except RuntimeError as error:
        console.print(f"[red]{error}[/red]")
        status = 1
    tell(folder)
    if status:
        console.print((folder / LOG).read_text()[-LOG_TAIL:], markup=False, highlight=False)
        raise typer.Exit(status)


if __name__ == "__main__":
    try:
        typer.run(main)
    except KeyboardInterrupt:
        sys.exit(130)
