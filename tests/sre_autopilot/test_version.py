"""The version is that of the checkout, and of the installed distribution where there is none."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from sre_autopilot import distribution, version
from sre_autopilot.distribution import DISTRIBUTION, EXTRAS, installation_command
from tests.architecture.source import ROOT


def test_version_of_a_checkout_is_that_of_its_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert version.__version__ == project["version"]


@pytest.mark.parametrize("pyproject", [None, "[project]\nname = 'another'\nversion = '9'\n", ""])
def test_version_elsewhere_is_that_of_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pyproject: str | None
) -> None:
    if pyproject is not None:
        (tmp_path / "pyproject.toml").write_text(pyproject)
    monkeypatch.setattr(metadata, "version", {DISTRIBUTION: "1.2.3"}.__getitem__)
    assert version._version(tmp_path) == "1.2.3"


@pytest.mark.parametrize(
    ("module", "extra"),
    [("numba", "sim"), ("numba.core.types", "sim"), ("scipy", "eval"), ("docker.errors", "live")],
)
def test_missing_module_is_installed_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    assert installation_command(module) == f"pip install -e '{ROOT}[{extra}]'"
    monkeypatch.setattr(distribution, "CHECKOUT", tmp_path)
    assert installation_command(module) == f"pip install '{DISTRIBUTION}[{extra}]'"


def test_module_of_no_extra_has_no_installation_command() -> None:
    assert installation_command("numbat") is None


def test_module_belongs_to_one_extra() -> None:
    modules = [module for modules in EXTRAS.values() for module in modules]
    assert len(modules) == len(set(modules))
