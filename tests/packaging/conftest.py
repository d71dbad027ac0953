"""The built distributions, environments with the wheel, a user's folder of clashing names."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.packaging.environments import UserEnvironment, create

CLASHES = ("models.py", "client.py", "grader.py", "inference.py", "baseline.py", "tools.py")
CLASHING_PACKAGES = ("server", "services", "policies", "deploy", "benchmarks", "tests")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the sdist of this tree, by suffix."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel"]
    subprocess.run([*build, "-d", folder], cwd=ROOT, check=True, capture_output=True)
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def base(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> UserEnvironment:
    """What `pip install openenv-sre-autopilot` gives."""
    return create(tmp_path_factory.mktemp("base"), built[".whl"])


@pytest.fixture(scope="session")
def live(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> UserEnvironment:
    """The same with the extra `live`."""
    return create(tmp_path_factory.mktemp("live"), built[".whl"], extras=["live"])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's folder whose own modules have the names of ours; importing one is an error."""
    clash = "raise ImportError('this is the user\\'s own module')\n"
    for name in CLASHES:
        (tmp_path / name).write_text(clash)
    for name in CLASHING_PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(clash)
    return tmp_path
