"""Servers, and a run of inference.py in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

import inference
from inference import Run
from sre_autopilot.llm.limits import CALL_S
from sre_autopilot.loopback import make_client
from tests.inference.lines import Played, parse
from tests.inference.scripted_environment import ScriptedEnvironment
from tests.inference.scripted_model import Script, ScriptedModel, serving

if TYPE_CHECKING:
    from sre_autopilot.llm.player import ModelPlayer

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """Time that passes only in a sleep, or by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.sleeps.append(seconds)
        self.now += seconds


@dataclass
class Outcome:
    results: list[inference.Result]
    played: list[Played]
    messages: str


class Stage:
    """Servers that are closed at the end, and runs in this process, on a clock that never waits."""

    def __init__(self, servers: ExitStack, out: Callable[[], str], transcripts: Path) -> None:
        self._servers, self._out, self._transcripts = servers, out, transcripts
        self.clock = Clock()

    def model(self, script: Script) -> ScriptedModel:
        return self._servers.enter_context(serving(ScriptedModel(script)))

    def environment(self, *arguments) -> ScriptedEnvironment:
        return self._servers.enter_context(serving(ScriptedEnvironment(*arguments)))

    def player(self, server: ScriptedModel, **limits: float) -> "ModelPlayer":
        from sre_autopilot.llm.endpoint import connect  # noqa: PLC0415 - a second of CPU
        from sre_autopilot.llm.player import ModelPlayer  # noqa: PLC0415

        client = connect(server.url, "secret-token", CALL_S)
        return ModelPlayer(client, "scripted", self.clock, self.clock.sleep, **limits)

    async def play(self, environment, player, tiers, limit_s=1080.0) -> Outcome:
        console = Console(file=(messages := StringIO()), width=300)
        http = make_client(environment.url)
        clock, over = self.clock, self.clock() + limit_s
        run = Run(player, http, 4, over, self._transcripts, console, clock, clock.sleep)
        results = await run.play(tiers)
        return Outcome(results, parse(self._out()), messages.getvalue())


@pytest.fixture
def stage(capsys, tmp_path):
    with ExitStack() as servers:
        yield Stage(servers, lambda: capsys.readouterr().out, tmp_path / "transcripts")


@pytest.fixture
def start(tmp_path):
    """Starts inference.py as a user would; a process that still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []
    # A shell that starts tests in the background has them, and their children, ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(*arguments: str, **environ: str) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = [sys.executable, "inference.py", "--transcripts", str(tmp_path / "transcripts")]
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={**kept, "NO_PROXY": "127.0.0.1", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
    signal.signal(signal.SIGINT, before)
