"""`sre-autopilot demo`: a server, `inference.py` as its client, and three episodes to watch.

Standard output has the lines of inference.py and a summary of each episode; the screen is on
standard error. Plays nothing itself: inference.py does, over HTTP, as any agent would.
"""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from orchestrator.validation import parse_tier
from server.server_process import ROOT, child_process, server_process
from sre_autopilot import grading
from sre_autopilot.cli.errors import FAILED, BadInput, bad_input, on_interrupt
from sre_autopilot.cli.grade import records_of
from sre_autopilot.cli.options import listed, read_settings
from sre_autopilot.cli.output import TEXT_WIDTH, messages_console, results_console
from sre_autopilot.cli.screen import episode_summary, screen
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies import load_policy
from sre_autopilot.world.vocabulary import DEFAULT_TIERS

POLL_S = 0.1
LOG, LOG_TAIL_CHARACTERS = "demo.log", 2_000
PLAYER = "inference.py"


class Records:
    """The records of a folder, read while a server writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._tiers: dict[Path, str] = {}

    def new_screens(self) -> Iterator[Table]:
        """One of each step written since the last call; half a line is left for the next call."""
        for file in records_of(self._folder):
            start = self._read.get(file, 0)
            with file.open(encoding="ascii") as lines:
                lines.seek(start)
                complete, _, _ = lines.read().rpartition("\n")
            self._read[file] = start + len(complete) + bool(complete)
            for line in complete.splitlines():
                match json.loads(line):
                    case {"type": "episode", "tier": tier}:
                        self._tiers[file] = tier
                    case {"type": "step", "action": fields, "observed": observed}:
                        action = fields and SREAction(
                            action=fields["action"], service_id=fields["service_id"]
                        )
                        observation = SREObservation.model_validate(observed)
                        yield screen(self._tiers[file], action, observation)


async def watch(player: asyncio.subprocess.Process, records: Records) -> None:
    """Draws every step on standard error and passes the player's lines on, until it ends."""

    async def pass_on() -> None:
        assert player.stdout is not None
        async for line in player.stdout:
            print(line.decode(), end="", flush=True)

    with Live(console=messages_console(), auto_refresh=False, transient=True) as live:
        lines = asyncio.create_task(pass_on())
        while not lines.done():
            for table in records.new_screens():
                live.update(table, refresh=live.console.is_terminal)
            await asyncio.wait([lines], timeout=POLL_S)
        await lines


async def play(folder: Path, arguments: Sequence[str]) -> int:
    """The player's exit status. Raises RuntimeError where the server does not start."""
    console = messages_console()
    with (folder / LOG).open("wb") as log, console.status("the server starts") as status:
        async with server_process(folder, log) as (url, _server):
            status.stop()
            infer = (PLAYER, "--base-url", url, *arguments)
            async with child_process(infer, log, stdout=asyncio.subprocess.PIPE) as player:
                await watch(player, Records(folder))
                return await player.wait()


def print_summaries(folder: Path) -> None:
    """Prints a summary of every episode that was played to its end, and where the records are."""
    console = results_console(TEXT_WIDTH)
    for file in records_of(folder):
        for record in grading.read_episodes(file.read_text(encoding="ascii").splitlines()):
            if not record.aborted:
                console.print(episode_summary(record, grading.grade(record)))
    program = "sre-autopilot"
    if shutil.which(program) is None:  # no environment is active, as under make
        program = str(Path(sys.executable).with_name(program))
    for text in (
        f"records: {folder}/*.jsonl",
        f"what would have been better in the last one: {program} debrief {folder}",
        f"play yourself: {program} play",
    ):
        console.print(text, soft_wrap=True, markup=False)


def command(
    policy: Annotated[
        str | None,
        typer.Option(help="Who plays, a name or module:Class (else a model, see above)."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the episodes.")] = 7,
    tiers: Annotated[str, typer.Option("--tiers", "--tier", help="Comma-separated.")] = (
        ",".join(DEFAULT_TIERS)
    ),
) -> None:
    """Watch a policy play three incidents over HTTP, and read a summary of each.

    The model of API_BASE_URL and MODEL_NAME plays where these are set, else the learned policy.

    Example:
      sre-autopilot demo
      sre-autopilot demo --policy belief --tiers hard --seed 3
    """
    if not (ROOT / PLAYER).exists():
        raise BadInput(
            f"the demo runs {PLAYER}, which a checkout of the repository has; {ROOT} has none"
        )
    with bad_input():
        on = [parse_tier(tier) for tier in listed(tiers)]
        if policy is not None:
            load_policy(policy)
    record_dir = read_settings().record_dir or Path("runs")
    record_dir.mkdir(parents=True, exist_ok=True)
    chosen = ("--policy", policy) if policy else ()
    arguments = ("--seed", str(seed), "--tiers", ",".join(on), *chosen)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=record_dir))
    console = messages_console()
    with on_interrupt(lambda: f"interrupted; the records so far are in {folder}"):
        try:
            status = asyncio.run(play(folder, arguments))
        except RuntimeError as error:
            console.print(Text(str(error), "red"))
            status = FAILED
    print_summaries(folder)
    if status:
        log = (folder / LOG).read_text()
        console.print(log[-LOG_TAIL_CHARACTERS:], markup=False, highlight=False)
        raise typer.Exit(status)
