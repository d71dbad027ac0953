"""What is in the image, and what it says of itself."""

import json
import re

import pytest
from docker.models.images import Image

from sre_autopilot.world.topology import Service
from tests.architecture.source import ROOT
from tests.live.conftest import BUILD_TIMEOUT_S, Report, Start

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 60)]

MOST_MB = 1000
"""Twice the usual would be a package shipped by mistake."""
SHIPPED = {
    *(path.name for path in ROOT.glob("*.py")),
    *("chaos", "orchestrator", "server", "services", "sre_autopilot"),
    *("README.md", "openenv.yaml", "pyproject.toml"),
}
BYTECODE_OF_OURS = """
import importlib.util, json, pathlib
sources = [p for p in pathlib.Path('/app').rglob('*.py')]
compiled = [p for p in sources if pathlib.Path(importlib.util.cache_from_source(p)).exists()]
print(json.dumps([len(sources), len(compiled)]))
"""


def idle(start: Start, *command: str) -> tuple[int, str]:
    """Exit code and output of a command in a container that serves nothing."""
    container = start(entrypoint=list(command), command=[])
    code = container.wait()["StatusCode"]
    return code, container.logs().decode()


def test_the_image_runs_without_root_and_keeps_no_data(image: Image) -> None:
    config = image.attrs["Config"]
    assert config["User"] == "65532:65532"
    assert not config["Volumes"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    command = "python -m server.app --host 0.0.0.0 --port 8000"
    assert config["Cmd"] == command.split()


def test_the_image_is_small(image: Image, report: Report) -> None:
    megabytes = image.attrs["Size"] / 1e6
    report("size of the image", f"{megabytes:.0f} MB")
    assert megabytes < MOST_MB


def test_the_image_holds_what_runs_and_nothing_else(start: Start) -> None:
    code, listing = idle(start, "ls", "-A", "/app")
    assert code == 0
    assert set(listing.split()) - {"__pycache__"} == SHIPPED


def test_no_file_outside_tmp_may_be_written(start: Start) -> None:
    search = ["find", "/", "-xdev", "-writable", "-not", "-type", "l"]
    code, listing = idle(start, *search, "-not", "-path", "/proc/*", "-not", "-path", "/dev/*")
    writable = {path for path in listing.splitlines() if not path.startswith("find: ")}
    # Debian lets everybody write to these three; a read-only root takes two of them away.
    assert writable <= {"/tmp", "/var/tmp", "/run/lock"}, code


def test_everything_of_ours_is_compiled(start: Start) -> None:
    code, said = idle(start, "python", "-c", BYTECODE_OF_OURS)
    assert code == 0, said
    sources, compiled = json.loads(said)
    assert sources > len(Service)
    assert compiled == sources


def test_packages_start_from_bytecode(start: Start) -> None:
    """What is stale would be compiled at each start, and cost many seconds."""
    code, output = idle(start, "python", "-v", "-c", "import server.app")
    assert code == 0, output
    loaded = re.findall(r"^# code object from '?(\S+?)'?$", output, re.M)
    compiled = [path for path in loaded if not path.endswith(".pyc")]
    # A few packages compile their own modules by an import hook (beartype's).
    assert len(compiled) < len(loaded) / 20, compiled
    assert not [path for path in compiled if path.startswith("/app/")]


@pytest.mark.parametrize("tool", ["pip", "gcc", "apt-listchanges", "curl", "git"])
def test_no_tool_is_left_over(start: Start, tool: str) -> None:
    code, said = idle(start, "sh", "-c", f"command -v {tool}")
    assert (code != 0, said) == (True, "")
