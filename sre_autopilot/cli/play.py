"""`sre-autopilot play`: a person plays one episode in the terminal, or a script on a pipe."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from chaos.tiers import drawing
from orchestrator.actions import ACTIONS
from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from sre_autopilot.cli.errors import on_interrupt
from sre_autopilot.cli.line_input import Line, PipedLines, TerminalLines, Word, parse_line
from sre_autopilot.cli.options import (
    BackendOption,
    JsonOption,
    RecordDirOption,
    SeedOption,
    TierOption,
    read_settings,
)
from sre_autopilot.cli.output import TEXT_WIDTH, messages_console, print_json, results_console
from sre_autopilot.cli.run import episode_json, record_file
from sre_autopilot.cli.screen import episode_summary, screen, spell
from sre_autopilot.errors import SREError
from sre_autopilot.grading import grade
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.pager import pager_feed
from sre_autopilot.policies import DEFAULT_POLICY, Policy, brief, load_policy
from sre_autopilot.world.topology import CALLS, Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, Tier

POLICY = "person"
"""The policy that the record names."""
INTRODUCTION = (
    "You are on call for seven services, and something may be broken. Bring every SLA\n"
    "back, early and cheaply. Type: ACTION SERVICE, nothing to wait, help, or quit."
)


def command(
    *,
    tier: TierOption = Tier.EASY,
    seed: SeedOption = None,
    backend: BackendOption = None,
    record_dir: RecordDirOption = None,
    hint: Annotated[
        bool, typer.Option("--hint", help=f"Show what the policy {DEFAULT_POLICY} would do.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Play an incident yourself: read the metrics, type actions, see at the end what it was.

    Lines are `ACTION SERVICE`, `wait` (or nothing), `traces`, `help` and `quit`; names may be
    shortened. Lines may also come from a pipe; their end ends the episode.

    Example:
      sre-autopilot play --tier medium --hint
      sre-autopilot play --backend simulator --seed 7
    """
    settings = read_settings(backend=backend)
    folder = record_dir or settings.record_dir or Path("runs/play")
    console = messages_console() if as_json else results_console(TEXT_WIDTH)
    make, draw = make_backend(settings), drawing(settings.fault)
    with Environment(make, draw, folder) as environment:
        game = Game(environment, tier, console, load_policy(DEFAULT_POLICY) if hint else None)
        with on_interrupt(lambda: f"interrupted; the record so far is in {folder}"):
            game.begin(seed)
            game.play_to_the_end()
        record = environment.hidden_state()
    score = grade(record)
    console.print(episode_summary(record, score, explain=True))
    file = record_file(record, folder)
    kept = "none, as the log says" if file is None else str(file)
    console.print(f"record: {kept}", soft_wrap=True, markup=False)
    if as_json:
        print_json(episode_json(record, score, folder))


class Game:
    """One episode, drawn on a console and driven by lines. adviser: whose next action is shown."""

    def __init__(
        self, environment: Environment, tier: Tier, console: Console, adviser: Policy | None
    ) -> None:
        self._adviser = adviser
        self._environment = environment
        self._tier = tier
        self._console = console
        self._lines = (
            TerminalLines()
            if sys.stdin.isatty() and console.is_terminal
            else PipedLines(lambda text: console.print(text, soft_wrap=True, markup=False))
        )

    def begin(self, seed: int | None) -> None:
        """Starts the mesh and shows its first window."""
        self._console.print(INTRODUCTION, soft_wrap=True)
        with self._waiting("the services start"):
            self._observation = self._environment.reset(
                seed=seed, task_tier=self._tier, policy=POLICY
            )
        plan = self._environment.episode.plan
        self._console.print(f"backend {plan.backend}, seed {plan.seed}", markup=False)
        (page,) = pager_feed([self._observation])
        self._console.print(f"{page.severity}: {page.summary}", markup=False)
        if self._adviser is not None:
            brief(self._adviser, plan.seed)
        self._show(None)

    def play_to_the_end(self) -> None:
        """Until the episode is over, or the input is."""
        while not self._observation.done:
            line = self._read()
            if line.word is Word.QUIT:
                return
            if line.word is Word.HELP:
                self._console.print(help_table())
            elif line.word is Word.TRACES:
                self._console.print(traces_table(self._observation))
            elif line.action is not None:
                with self._waiting("a window passes"):
                    self._observation = self._environment.step(line.action)
                self._show(line.action)

    def _read(self) -> Line:
        """The next line that can be understood; those that cannot are answered and cost nothing."""
        newest = self._observation
        prompt = f"[cost {newest.cost_spent}, restarts left {newest.remaining_restarts}] > "
        while True:
            text = self._lines.read(prompt)
            if text is None:
                return Line(word=Word.QUIT)
            try:
                return parse_line(text)
            except SREError as error:
                self._console.print(Text(str(error), "red"), soft_wrap=True)

    def _show(self, action: SREAction | None) -> None:
        self._console.print(screen(self._tier, action, self._observation))
        if self._observation.last_action_error is not None:
            refusal = escape(self._observation.last_action_error)
            self._console.print(Text(f"refused: {refusal}", "red"), soft_wrap=True)
        if self._adviser is not None and not self._observation.done:
            advice = spell(self._adviser.act(self._observation))
            self._console.print(f"hint: {advice} ({self._adviser.name})", markup=False)

    @contextmanager
    def _waiting(self, text: str) -> Iterator[None]:
        """Says what is waited for, on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(text):
            yield


def help_table() -> Table:
    """What can be typed: actions with their costs, words, and services with those they call."""
    table = Table("line", "cost", "what it does", box=box.SIMPLE_HEAD)
    for name, action in ACTIONS.items():
        line = f"{name} SERVICE" if ACTION_COSTS[name] else name
        table.add_row(line, str(ACTION_COSTS[name]), action.description)
    table.add_row(Word.TRACES, "-", "Shows the calls seen in the last window.")
    table.add_row(Word.QUIT, "-", "Ends the episode; it is not scored.")
    table.add_row("", "", "Names may be shortened, to beginnings or initials.", end_section=True)
    for service in Service:
        table.add_row(service, "", "calls " + (", ".join(CALLS[service]) or "no other service"))
    return table


def traces_table(observation: SREObservation) -> Table:
    """Calls between services, as far as their spans arrived."""
    table = Table("caller", "callee", "calls", "errors", "p99 ms", box=box.SIMPLE_HEAD)
    for edge in observation.trace_edges:
        values = (f"{edge.calls}", f"{edge.error_rate:g}", f"{edge.latency_p99:g}")
        table.add_row(edge.caller, edge.callee, *values)
    return table
