"""What the wheel and the sdist hold, and what the metadata say."""

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from sre_autopilot.distribution import DISTRIBUTION, EXTRAS
from tests.architecture.source import ROOT, committed_files

PACKAGES = {"chaos", "orchestrator", "server", "services", "sre_autopilot"}
LARGE = {"console-test", "dataset", "local-model", "ray", "train", "tutorial"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(built: dict[str, Path]) -> zipfile.ZipFile:
    return zipfile.ZipFile(built[".whl"])


def read_metadata(wheel: zipfile.ZipFile, name: str) -> bytes:
    (path,) = (n for n in wheel.namelist() if n.endswith(f".dist-info/{name}"))
    return wheel.read(path)


def test_wheel_holds_our_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    parts = {name.split("/")[0] for name in wheel.namelist()}
    assert {part for part in parts if not part.endswith(".dist-info")} == PACKAGES


def test_wheel_holds_every_file_of_the_packages_but_dockerfiles(wheel: zipfile.ZipFile) -> None:
    tree = {path.relative_to(ROOT).as_posix() for path in committed_files()}
    of_packages = {path for path in tree if path.split("/")[0] in PACKAGES}
    dockerfiles = {path for path in of_packages if "Dockerfile" in path}
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == of_packages - dockerfiles


def test_wheel_holds_the_data_that_modules_read(wheel: zipfile.ZipFile) -> None:
    assert {
        "sre_autopilot/py.typed",
        "sre_autopilot/simulator/fitted/process.json",
        "sre_autopilot/simulator/fitted/docker.json",
        "server/console/static/console.html",
    } <= set(wheel.namelist())


def test_wheel_installs_both_commands(wheel: zipfile.ZipFile) -> None:
    scripts = read_metadata(wheel, "entry_points.txt").decode()
    assert "sre-autopilot = sre_autopilot.cli.app:main" in scripts
    assert "server = server.app:main" in scripts


def test_metadata_name_the_distribution_and_its_extras(wheel: zipfile.ZipFile) -> None:
    fields = message_from_bytes(read_metadata(wheel, "METADATA"))
    assert fields["Name"] == DISTRIBUTION
    assert set(fields.get_all("Provides-Extra", ())) == {*EXTRAS, "all"}


def test_sdist_builds_the_same_wheel(built: dict[str, Path], tmp_path: Path) -> None:
    with tarfile.open(built[".gz"]) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(
        [*build, "-d", tmp_path / "again"], cwd=unpacked, check=True, capture_output=True
    )
    (again,) = (tmp_path / "again").iterdir()
    assert again.read_bytes() == built[".whl"].read_bytes()


def test_extras_are_described_by_the_modules_that_they_bring() -> None:
    assert set(PROJECT["optional-dependencies"]) == {*EXTRAS, "all"}


def test_extra_all_holds_every_extra_but_the_large_ones() -> None:
    (everything,) = PROJECT["optional-dependencies"]["all"]
    light = [extra for extra in EXTRAS if extra not in LARGE]
    assert everything == f"{DISTRIBUTION}[{','.join(light)}]"


def test_manifest_has_the_version_of_the_distribution() -> None:
    assert f'version: "{PROJECT["version"]}"' in (ROOT / "openenv.yaml").read_text()
