"""Every command that the documents show can be run as it stands."""

import json
import re
import shlex
import tomllib
from itertools import takewhile

import pytest

from orchestrator.settings import PREFIX, Settings
from services.process import COLLECTOR_VARIABLE
from sre_autopilot import grading
from sre_autopilot.cli.app import NAME
from tests.architecture.source import ROOT
from tests.docs import command_lines
from tests.docs.documents import commands, document
from tests.docs.makefile import RECIPES
from tests.docs.test_quick_starts import SERVER_COMMANDS

VARIABLES = {PREFIX + name.upper() for name in Settings.model_fields} | {
    "API_BASE_URL",
    "MODEL_NAME",
    "HF_TOKEN",
    COLLECTOR_VARIABLE,
}
TUTORIAL = "docs/tutorial.md"
"""It has its reader save programs, which take a number of steps."""
MAKE_VARIABLES = {"ARGS", "PYTHON", "PIP_INDEX_URL"}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
COMMANDS: dict[str, list[list[str]]] = {}
"""Words of the commands of each page."""
for _page, _words in commands():
    COMMANDS.setdefault(_page, []).append(_words)


def check_make(target: str, *assignments: str) -> None:
    assert target in RECIPES
    values = dict(assignment.split("=", 1) for assignment in assignments)
    assert values.keys() <= MAKE_VARIABLES
    arguments = command_lines.of_target(target, values.get("ARGS", ""))
    if arguments is not None:
        command_lines.parse(NAME, arguments)


def check_program(name: str, program: str, arguments: list[str]) -> None:
    if name == TUTORIAL:
        assert f"<!-- file: {program} -->" in document(name).text
        assert [word for word in arguments if not word.isdigit()] == []
    else:
        command_lines.parse(program, arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_a_page_can_be_run(name: str, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    for words in COMMANDS[name]:
        try:
            check_command(name, words)
        except BaseException as error:
            error.add_note(f"{name}: {shlex.join(words)}")
            raise


def check_command(name: str, words: list[str]) -> None:
    """Fails where the command could not be run as it stands on the page."""
    assignments = [*takewhile(re.compile(r"[A-Z_]+=").match, words)]
    assert {assignment.split("=")[0] for assignment in assignments} <= VARIABLES
    match words[len(assignments) :]:
        case ["make", target, *variables]:
            check_make(target, *variables)
        case ["sre-autopilot", *arguments]:
            is_name = arguments[:-1] in ([], ["dev"])
            command_lines.parse(NAME, [*arguments, "--help"] if is_name else arguments)
        case ["python", "grader.py", file, *options]:
            assert file == "FILE" or grading.main([file, *options]) == 0
        case ["python", program, *arguments]:
            check_program(name, program, arguments)
        case ["pip", "install", package] | ["pip", "install", "-e", package]:
            assert package.removeprefix(".").strip("[]") in {"", *EXTRAS}
        case ["uvicorn", *_]:
            assert words in [shlex.split(line) for line in SERVER_COMMANDS]
        case ["ray", "start", *options]:
            # tests/sre_autopilot/evaluation: test_ray_cluster.py plays on such hosts.
            assert json.loads(options[options.index("--resources") + 1])["mesh"] > 0
        case ["source", script]:
            assert script == ".venv/bin/activate"
        case ["docker", *arguments]:
            # tests/live: test_readme.py runs the README's, test_stack_spans.py the other one.
            assert name == "README.md" or arguments == ["compose", "up", "--detach"]
        case _:
            pytest.fail("a command that this test does not know")


def test_demo_and_test_are_shown_first() -> None:
    readme = [words for name, words in commands() if name == "README.md"]
    assert readme[:2] == [["make", "demo"], ["make", "test"]]


def test_every_extra_is_in_the_quickstart() -> None:
    text = (ROOT / "docs" / "quickstart.md").read_text()
    assert [name for name in EXTRAS if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize(
    ("arguments", "works"),
    [
        ("--seeds 5 --tiers easy,hard", True),
        ("--policies runbook,mine:Policy", True),
        ("--policies genius", False),
        ("--tiers impossible", False),
        ("--faults 5", False),
        ("--seeds many", False),
        ("surplus", False),
    ],
)
def test_arguments_that_do_not_exist_are_found(arguments: str, works: bool) -> None:
    line = ["evaluate", *shlex.split(arguments)]
    if works:
        command_lines.parse(NAME, line)
    else:
        with pytest.raises((AssertionError, ValueError)):
            command_lines.parse(NAME, line)
