"""The groups of the command line: what they list, import lazily, and how errors end."""

import os
import pkgutil
import subprocess
import sys
from typing import ClassVar

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.errors import StackUnavailable
from sre_autopilot.cli import app, errors, lazy
from sre_autopilot.cli.commands import COMMANDS, DEV_COMMANDS, CommandEntry
from sre_autopilot.errors import UnknownName
from sre_autopilot.grading import RecordError
from tests.architecture.source import ROOT
from tests.server.doors import until

HEAVY = ("numpy", "numba", "scipy", "fastapi", "httpx", "pydantic", "rich", "orchestrator")
run = CliRunner().invoke


def group(**targets):
    """An app whose commands are these functions."""

    class Group(lazy.LazyGroup):
        entries: ClassVar = {
            name: CommandEntry(target, f"Runs {name}.") for name, target in targets.items()
        }

    made = typer.Typer(cls=Group, rich_markup_mode=None)
    made.callback()(lambda: None)
    return made


def greet(name: str):
    """Prints a name.

    Example:
      greet someone
    """
    typer.echo(f"hello {name}")


def raises(error):
    def command():
        raise error

    return command


def invoke_failing(monkeypatch, error):
    monkeypatch.setattr(errors, "command_of_test", raises(error), raising=False)
    return run(group(broken="sre_autopilot.cli.errors:command_of_test"), ["broken"])


@pytest.mark.parametrize("entry", [*COMMANDS.values(), *DEV_COMMANDS.values()])
def test_every_entry_names_an_object_that_can_be_run(entry):
    assert callable(pkgutil.resolve_name(entry.target))
    assert entry.summary.endswith(".")


def test_help_lists_every_command():
    result = run(app.app, ["--help"])
    assert result.exit_code == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)
    listed = run(app.app, ["dev", "--help"]).stdout
    assert all(f"  {name} " in listed for name in DEV_COMMANDS)


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from sre_autopilot.cli.app import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        f"print(sorted(set({HEAVY}) & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.endswith("[]\n")


def test_a_command_is_loaded_and_run_with_its_arguments(monkeypatch):
    monkeypatch.setattr(errors, "command_of_test", greet, raising=False)
    app_of_greet = group(greet="sre_autopilot.cli.errors:command_of_test")
    assert run(app_of_greet, ["greet", "someone"]).stdout == "hello someone\n"


def test_an_example_keeps_its_lines_in_help():
    assert lazy.help_text(greet) == "Prints a name.\n\n\b\nExample:\n  greet someone"


def test_an_unknown_command_suggests_the_one_that_was_meant():
    result = run(app.app, ["evaluate2"])
    assert result.exit_code == 2
    assert "Did you mean 'evaluate'?" in result.stderr


def test_the_version_is_that_of_the_distribution():
    result = run(app.app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("sre-autopilot ")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UnknownName("tier", "x", ("easy",)), 2, "unknown tier 'x'; valid values: easy"),
        (RecordError("line 3: broken"), 2, "line 3: broken"),
        (errors.BadInput("--seed: too large"), 2, "--seed: too large"),
        (StackUnavailable("no engine"), 1, "no engine"),
        (ModuleNotFoundError("x", name="numba.core"), 2, "pip install"),
        (ModuleNotFoundError("x", name="benchmarks"), 2, "checkout"),
    ],
)
def test_an_error_that_users_can_mend_is_one_line(monkeypatch, error, status, message):
    result = invoke_failing(monkeypatch, error)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stderr.count("\n") == 1 and result.stdout == ""


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), ModuleNotFoundError("x", name="no_such"), KeyError("bug")]
)
def test_other_exceptions_are_not_swallowed(monkeypatch, error):
    assert invoke_failing(monkeypatch, error).exception is error


def test_a_value_error_while_options_are_read_names_the_option():
    with pytest.raises(errors.BadInput, match=r"^--out: no such"), errors.bad_input("--out"):
        raise OSError("no such")


def test_an_interrupt_says_what_was_kept(capsys):
    with pytest.raises(typer.Exit) as ended, errors.on_interrupt(lambda: "kept: 3 episodes"):
        raise KeyboardInterrupt
    assert ended.value.exit_code == errors.INTERRUPTED
    assert capsys.readouterr().err == "kept: 3 episodes\n"


def test_command_searches_the_current_folder_last(monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(app, "app", lambda prog_name: None)
    app.main()
    assert sys.path[-1] == ""


def test_a_command_that_is_terminated_ends_what_it_started(tmp_path):
    """A mesh of processes here; in the same way, a stack of containers."""
    command = (sys.executable, "-m", "sre_autopilot.cli", "evaluate", "--backend", "process")
    options = ("--policies", "random", "--meshes", "1", "--out", str(tmp_path / "results.jsonl"))
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: any(tmp_path.glob("sre-mesh-*")))
        process.terminate()
        _, messages = process.communicate()
    assert process.returncode == app.TERMINATED, messages
    assert not any(tmp_path.glob("sre-mesh-*"))
