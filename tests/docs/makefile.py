"""The Makefile as these tests see it: targets and their recipes."""

import re

from tests.architecture.source import ROOT

RECIPES: dict[str, str] = dict(
    re.findall(r"(?m)^([a-z-]+):.*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text())
)
"""Target -> what it runs."""
