"""Trainers' environments, which the ordinary tests do not make, can load what their tests share."""

import ast
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, imports

SHARED = ast.parse((ROOT / "tests/conftest.py").read_text())
DISTRIBUTIONS = {"pytest": "pytest", "xdist": "pytest-xdist"}
"""By the modules that they bring: all that the shared file may import without asking first."""


@pytest.mark.parametrize(
    "requirements",
    sorted((ROOT / "requirements/adapters").glob("*.in")),
    ids=lambda file: file.stem,
)
def test_shared_file_imports_only_what_the_environment_has(requirements: Path) -> None:
    on_loading = {name.split(".")[0] for node, name in imports(SHARED) if node in SHARED.body}
    assert on_loading - sys.stdlib_module_names <= set(DISTRIBUTIONS)
    lines = requirements.read_text().splitlines()
    for distribution in DISTRIBUTIONS.values():
        assert any(line.partition(">")[0] == distribution for line in lines)
