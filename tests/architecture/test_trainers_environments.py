"""Trainers' environments, which the ordinary tests do not make, can load what their tests share."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "tests/conftest.py"
DISTRIBUTIONS = {"pytest": "pytest", "xdist": "pytest-xdist"}
"""By the modules that they bring: all that the shared file may import without asking first."""


def imported(file: Path) -> set[str]:
    """Packages that a file imports as soon as it is loaded."""
    packages: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        match node:
            case ast.Import(names=names):
                packages |= {name.name.partition(".")[0] for name in names}
            case ast.ImportFrom(module=str(module)):
                packages.add(module.partition(".")[0])
    return packages - sys.stdlib_module_names


@pytest.mark.parametrize(
    "requirements",
    sorted((ROOT / "requirements/adapters").glob("*.in")),
    ids=lambda file: file.stem,
)
def test_shared_file_imports_only_what_the_environment_has(requirements: Path) -> None:
    assert imported(SHARED) <= set(DISTRIBUTIONS)
    lines = requirements.read_text().splitlines()
    for distribution in DISTRIBUTIONS.values():
        assert any(line.partition(">")[0] == distribution for line in lines)
