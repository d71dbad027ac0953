"""The version, which pyproject.toml alone states."""

import tomllib
from importlib import metadata
from pathlib import Path

from sre_autopilot.distribution import DISTRIBUTION


def _version(root: Path) -> str:
    """That of the checkout at `root`, or of what is installed where `root` is no checkout.

    A checkout comes first: an image holds one without metadata, and the metadata of an editable
    install are those of the day it was installed.
    """
    pyproject = root / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == DISTRIBUTION:
            return str(project["version"])
    return metadata.version(DISTRIBUTION)


__version__ = _version(Path(__file__).parents[1])
