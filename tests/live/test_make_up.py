"""`make up` as the README says it: by its own exit status, from nothing and a second time."""

import os
import subprocess
from collections.abc import Iterator, Mapping

import httpx
import pytest

from deploy.local_stack import PREFIX_OF_OURS, Stack, docker
from sre_autopilot.world.stack import LABEL_CONTAINER, LABEL_PROJECT, REPLICAS, Part
from tests.architecture.source import ROOT
from tests.live.conftest import BUILD_TIMEOUT_S

pytestmark = [pytest.mark.live, pytest.mark.timeout(2 * BUILD_TIMEOUT_S)]

PROJECT = f"{PREFIX_OF_OURS}{os.getpid()}-0"
ENVIRON = {
    "COMPOSE_PROJECT_NAME": PROJECT,
    "SRE_PORT": "0",
    "SRE_PROMETHEUS_PORT": "0",
    "SRE_MESH_NETWORK": "10.199.7",
}
STANDBYS = {str(replica) for replica in REPLICAS if replica.index > 0}


def make(target: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target],
        cwd=ROOT,
        env={**os.environ, **ENVIRON},
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )


def states() -> Mapping[str, str]:
    """The engine's state of each container, by its name in the stack."""
    label = f"--filter=label={LABEL_PROJECT}={PROJECT}"
    listed = docker(
        "ps", "-a", label, "--format", f'{{{{.Label "{LABEL_CONTAINER}"}}}} {{{{.State}}}}'
    )
    return dict(line.split() for line in listed.splitlines())


@pytest.fixture(scope="module", autouse=True)
def gone_at_the_end() -> Iterator[None]:
    yield
    down = make("down")
    assert down.returncode == 0, down.stderr
    assert not states()
    assert Stack(PROJECT, ENVIRON).count("network") == 0


@pytest.mark.parametrize("time", ["first", "second"])
def test_make_up_ends_well_and_starts_no_standby(time: str) -> None:
    up = make("up")
    assert up.returncode == 0, up.stderr[-4000:]
    running = {name for name, state in states().items() if state == "running"}
    assert set(states()) - running == STANDBYS
    assert {*Part} < running


@pytest.mark.parametrize("path", ["/", "/graph", "/alerts"])
def test_the_first_page_of_prometheus_leads_to_one_that_shows_something(path: str) -> None:
    with httpx.Client(
        base_url=Stack(PROJECT, ENVIRON).url(Part.PROMETHEUS),
        trust_env=False,
        follow_redirects=True,
    ) as browser:
        page = browser.get(path).raise_for_status().text
        assert "classic/graph" in page and "does not include" not in page
        assert "Prometheus Time Series" in browser.get("/classic/alerts").raise_for_status().text


def test_a_service_has_no_way_out_of_the_stack() -> None:
    routes = Stack(PROJECT, ENVIRON).compose(
        "exec", "-T", str(REPLICAS[0]), "cat", "/proc/net/route"
    )
    networks = Stack(PROJECT, ENVIRON).inspect(str(REPLICAS[0]))["NetworkSettings"]["Networks"]
    assert networks and routes
    for name in networks:
        assert docker("network", "inspect", name, "--format", "{{.Internal}}") == "true"
