"""What a terminal of 80 columns shows; episodes to show in it."""

from io import StringIO

from rich.console import Console
from typer.testing import CliRunner

from orchestrator.environment import Environment
from sre_autopilot.cli.app import app
from sre_autopilot.policies import load_policy
from sre_autopilot.policies.play import play
from sre_autopilot.simulator.backend import SimulatorBackend

COLUMNS = 80


def text_of(renderable, columns=COLUMNS):
    console = Console(width=columns, record=True, file=StringIO())
    console.print(renderable)
    return console.export_text()


def invoke(*arguments, stdin=None, **environ):
    """The result of a command at 80 columns; variables of the environment as keywords."""
    variables = {"COLUMNS": str(COLUMNS), "SRE_BACKEND": "simulator", **environ}
    return CliRunner(env=variables).invoke(app, [str(word) for word in arguments], input=stdin)


def simulated(policy, tier, seed, **options):
    """Record and score of an episode in the simulator."""
    with Environment(SimulatorBackend, record_dir=options.pop("record_dir", None)) as environment:
        return play(environment, load_policy(policy), tier, seed, **options)


def is_narrow(text, columns=COLUMNS):
    return all(len(line) <= columns for line in text.splitlines())
