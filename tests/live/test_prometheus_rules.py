"""The image of Prometheus: promtool takes its files and rules, and it serves, locked down."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.images import Image

from deploy import recording_rules as rules
from deploy.prometheus_config import FOLDER, TOKEN_FILE
from deploy.recording_rules import rule_groups
from sre_autopilot.evaluation.prometheus_client import Prometheus, QueryFailed, Span
from sre_autopilot.world import signals
from sre_autopilot.world.stack import PROMETHEUS_PORT
from sre_autopilot.world.topology import LIMITS, Service
from tests.architecture.source import ROOT
from tests.live.conftest import BUILD_TIMEOUT_S, LABEL, Report, ask_docker

T = TypeVar("T")

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 60)]

TAG = "sre-prometheus:latest"
CONFIG = "/etc/prometheus/prometheus.yml"
PATIENCE_S = 20.0
POLL_S = 0.1
MOST_MB = 100


@pytest.fixture(scope="module")
def observer(engine: docker.DockerClient) -> Image:
    """The image, built as its Dockerfile says."""
    built = subprocess.run(
        ["docker", "build", "-t", TAG, "-f", "observability/Dockerfile", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    return engine.images.get(TAG)


@pytest.fixture
def promtool(engine: docker.DockerClient, observer: Image) -> Iterator[Container]:
    """A container with this checkout's files, asked to test the rules."""
    files = [f"/observability/tests/{path.name}" for path in sorted(FOLDER.glob("tests/*.yml"))]
    container = engine.containers.create(
        observer.id,
        labels=[LABEL],
        entrypoint=["promtool", "test", "rules", *files],
        # Copied files keep their modes, and a checkout may be closed to others.
        user="0:0",
        network_mode="none",
    )
    try:
        ask_docker("cp", f"{FOLDER}", f"{container.id}:/observability")
        yield container
    finally:
        container.remove(force=True)


@pytest.fixture
def prometheus(engine: docker.DockerClient, observer: Image) -> Iterator[Container]:
    """One that runs as in the stack, where nothing that it should scrape is there."""
    container = engine.containers.create(
        observer.id,
        labels=[LABEL],
        read_only=True,
        tmpfs={"/tmp": "size=64m"},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        mem_limit="256m",
        ports={f"{PROMETHEUS_PORT}/tcp": ("127.0.0.1", None)},
    )
    try:
        container.start()
        yield container
    finally:
        with suppress(NotFound):
            container.remove(force=True)


def until(answered: Callable[[], T | None]) -> T:
    """The first answer that is one; fails when none comes."""
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while (answer := answered()) is None:
        assert time.monotonic() < deadline, "waited in vain"
        pause.wait(POLL_S)
    return answer


def asked(container: Container) -> Prometheus:
    """A client of it, once it answers."""

    def client() -> Prometheus | None:
        container.reload()
        assert container.status == "running", container.logs().decode()
        for port in container.ports.get(f"{PROMETHEUS_PORT}/tcp") or ():
            values = Prometheus(f"http://127.0.0.1:{port['HostPort']}")
            with suppress(QueryFailed):
                values.instant("vector(1)")
                return values
        return None

    return until(client)


def of_services(client: Prometheus, expr: str) -> dict[str, float]:
    """Value by service, once each has one."""

    def values() -> dict[str, float] | None:
        samples = client.instant(expr)
        values = {s.metric.get(signals.LABEL_SERVICE, ""): s.value[1] for s in samples}
        return values if values.keys() == {*Service} else None

    return until(values)


def test_promtool_takes_the_configuration_in_the_image(
    engine: docker.DockerClient, observer: Image
) -> None:
    said = engine.containers.run(
        observer.id,
        entrypoint=["bash", "-c", f": >{TOKEN_FILE}; exec promtool check config {CONFIG}"],
        labels=[LABEL],
        network_mode="none",
        remove=True,
        stderr=True,
    ).decode()
    count = sum(len(group["rules"]) for group in rule_groups()["groups"])
    assert f"{count} rules found" in said
    assert "FAILED" not in said


def test_every_rule_and_alert_does_what_its_test_says(promtool: Container) -> None:
    promtool.start()
    code = promtool.wait()["StatusCode"]
    said = promtool.logs().decode()
    assert code == 0, said
    assert said.count("SUCCESS") == len(list(FOLDER.glob("tests/*.yml")))


def test_the_image_runs_without_rights_and_keeps_no_data(observer: Image) -> None:
    assert observer.attrs["Config"]["User"] == "65532:65532"
    assert not observer.attrs["Config"]["Volumes"]


def test_a_restricted_prometheus_serves_and_records_rules(
    prometheus: Container, report: Report
) -> None:
    with asked(prometheus) as client:
        cores = of_services(client, rules.CPU_LIMIT)
        assert cores == {service: LIMITS[service].cpu_limit_cores for service in Service}
        sizes = of_services(client, rules.MEMORY_LIMIT)
        assert sizes == {service: LIMITS[service].memory_limit_mb * 2**20 for service in Service}
        down = of_services(client, rules.REPLICAS_UP)
        assert set(down.values()) == {0.0}
        (now,) = client.instant("vector(time())")
        span = Span(now.value[1] - 30.0, now.value[1])
        assert len(client.range(rules.CPU_LIMIT, span)) == len(Service)
        with pytest.raises(QueryFailed, match="parse error"):
            client.instant("sum(")
        # Just begun, it may not report what is down: the stack may be coming up.
        assert client.instant("ALERTS{alertstate='firing'}") == ()
    usage = prometheus.stats(stream=False)["memory_stats"]
    megabytes = (usage["usage"] - usage["stats"].get("cache", 0)) / 2**20
    report("memory of Prometheus, begun", f"{megabytes:.0f} MiB")
    assert megabytes < MOST_MB
