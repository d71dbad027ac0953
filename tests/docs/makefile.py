"""The Makefile as these tests see it: targets, their recipes and the modules that those run."""

import importlib.util
import re

from tests.architecture.source import ROOT

RECIPES: dict[str, str] = dict(
    re.findall(r"(?m)^([a-z-]+):.*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text())
)
"""Target -> what it runs."""


def module_behind(target: str) -> str | None:
    """The module that a target runs and hands its ARGS to."""
    found = re.search(r"-m (\S+) \$\(ARGS\)", RECIPES[target])
    return found[1] if found else None


def runs_today(target: str) -> bool:
    """Whether the modules that the target runs exist."""
    modules = re.findall(r"python -m ([\w.]+)", RECIPES[target])
    return all(importlib.util.find_spec(module) for module in modules)
