"""The image under every restriction of the validator, on a real engine."""

import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
from docker.models.containers import Container

from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS
from tests.architecture.source import ROOT
from tests.live import player
from tests.live.conftest import BUILD_TIMEOUT_S, Report, Start

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 240)]

GIB = 2**30
MOST_PIDS = 256
MOST_MEMORY = 8 * GIB
RESTRICTED: dict[str, Any] = {
    "user": "65532",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "pids_limit": MOST_PIDS,
    "nano_cpus": 2_000_000_000,
    "mem_limit": MOST_MEMORY,
    "tmpfs": {"/tmp": ""},
}
"""--user 65532 --read-only --cap-drop ALL --security-opt no-new-privileges --pids-limit 256
--cpus 2 --memory 8g --tmpfs /tmp"""
ALONE: dict[str, Any] = {**RESTRICTED, "network_mode": "none"}
HEALTHY_WITHIN_S = 10
STOPPED_WITHIN_S = 10
INSIDE = "http://127.0.0.1:8000"
PLAYER = (ROOT / "tests" / "live" / "player.py").read_text()
KILLED = 137


def inside(container: Container, *arguments: str) -> dict[str, Any]:
    """What the player prints, run in the container."""
    code, (out, err) = container.exec_run(["python", "-c", PLAYER, *arguments], demux=True)
    assert code == 0, (err or b"").decode()
    return dict(json.loads(out))


def healthy(container: Container) -> Container:
    answer = inside(container, "health", INSIDE, str(HEALTHY_WITHIN_S))
    assert (answer["status"], answer["said"]) == (200, {"status": "healthy"})
    return container


def address(container: Container) -> str:
    """Where the host reaches port 8000."""
    container.reload()
    return f"http://127.0.0.1:{container.ports['8000/tcp'][0]['HostPort']}"


def assert_whole_episode(played: dict[str, Any]) -> None:
    *before, score = played["rewards"]
    assert set(before) == {0.0}
    assert 0.0 < score < 1.0
    assert played["steps"] == list(range(len(played["steps"])))
    assert len(before) <= MAX_STEPS
    # Noise may lose a few of the first window's values, a mesh that does not serve loses all.
    assert len(played["seen"]) > len(Service) / 2


@dataclass
class Peak:
    """The most that a container used while the block ran."""

    container: Container
    pids: int = 0
    memory: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def _watch(self) -> None:
        while not self._over.is_set():
            used = self.container.stats(stream=False, one_shot=True)
            self.pids = max(self.pids, used["pids_stats"]["current"])
            self.memory = max(self.memory, used["memory_stats"]["usage"])

    def __enter__(self) -> "Peak":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __str__(self) -> str:
        return f"{self.pids} pids, {self.memory / 1e6:.0f} MB"


def commands(container: Container) -> list[str]:
    """Of every process in the container."""
    top = container.top(ps_args="-eo pid,args")
    return [row[-1] for row in top["Processes"]]


def on_this_machine(container: Container) -> list[psutil.Process]:
    """Its processes as the host sees them; none where the engine is in a virtual machine."""
    processes = []
    for row in container.top(ps_args="-eo pid,args")["Processes"]:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(int(row[0])))
    return processes


def test_healthy_within_ten_seconds(start: Start, report: Report) -> None:
    began = time.monotonic()
    container = start(**ALONE)
    answer = inside(container, "health", INSIDE, str(HEALTHY_WITHIN_S))
    took_s = time.monotonic() - began
    report("healthy, alone on the machine, after", f"{took_s:.1f} s")
    assert answer["said"] == {"status": "healthy"}
    assert took_s < HEALTHY_WITHIN_S


def test_the_health_check_fails_where_the_server_hangs(start: Start) -> None:
    container = healthy(start(**ALONE))
    check = container.image.attrs["Config"]["Healthcheck"]["Test"][1:]
    assert container.exec_run(check).exit_code == 0
    other_port = [word.replace(":8000", ":8001") for word in check]
    assert container.exec_run(other_port).exit_code != 0


def test_the_restrictions_hold(start: Start) -> None:
    """Else the tests below would prove little."""
    container = healthy(start(**ALONE))
    status = container.exec_run(["cat", "/proc/1/status"]).output.decode()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert lines["Uid"].split() == ["65532"] * 4
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
    assert lines["NoNewPrivs"] == "1"
    assert container.exec_run(["touch", "/app/x"]).exit_code != 0
    assert container.exec_run(["touch", "/tmp/x"]).exit_code == 0
    assert container.exec_run(["ls", "/sys/class/net"]).output.split() == [b"lo"]


def test_an_episode_without_a_network(start: Start, report: Report) -> None:
    container = healthy(start(**ALONE))
    with Peak(container) as peak:
        assert_whole_episode(inside(container, "play", INSIDE, "default"))
    report("at most, one mesh", str(peak))
    assert len(Service) < peak.pids <= MOST_PIDS
    assert peak.memory < MOST_MEMORY


def test_as_many_sessions_as_it_admits_fit(start: Start, report: Report) -> None:
    container = healthy(start(**ALONE))
    with Peak(container) as peak, ThreadPoolExecutor(2) as pool:
        played = list(pool.map(lambda s: inside(container, "play", INSIDE, s), ("one", "two")))
    for episode in played:
        assert_whole_episode(episode)
    report("at most, two meshes", str(peak))
    assert peak.pids <= MOST_PIDS
    assert peak.memory < MOST_MEMORY


def test_a_session_that_ends_leaves_no_process(start: Start) -> None:
    delete = (
        f"import httpx; httpx.delete('{INSIDE}/sessions/default', timeout=60).raise_for_status()"
    )
    container = healthy(start(**ALONE))
    before = commands(container)
    inside(container, "play", INSIDE, "default")
    assert container.exec_run(["python", "-c", delete]).exit_code == 0
    assert sorted(commands(container)) == sorted(before)
    assert container.exec_run(["ls", "/tmp"]).output == b""


def test_a_container_stops_at_once_in_mid_episode(start: Start, report: Report) -> None:
    container = healthy(start(**ALONE))

    def play() -> None:
        container.exec_run(["python", "-c", PLAYER, "play", INSIDE, "default"])

    with ThreadPoolExecutor(1) as pool:
        alone = len(commands(container))
        playing = pool.submit(play)
        while len(commands(container)) < alone + len(Service):
            assert not playing.done(), "the episode ended before its mesh was seen"
        processes = on_this_machine(container)
        began = time.monotonic()
        container.stop(timeout=STOPPED_WITHIN_S)
        took_s = time.monotonic() - began
    report("stopped in the middle of an episode after", f"{took_s:.1f} s")
    container.reload()
    assert took_s < STOPPED_WITHIN_S
    assert container.attrs["State"]["ExitCode"] != KILLED
    assert not [process for process in processes if process.is_running()]


def test_the_published_port_serves_an_episode_and_grades_one(start: Start, report: Report) -> None:
    container = start(**RESTRICTED, ports={"8000/tcp": ("127.0.0.1", None)})
    healthy(container)
    base_url = address(container)
    assert_whole_episode(player.play(base_url, "default"))
    graded = player.grade(base_url)
    report("the heuristic on easy, through the port", f"{graded:.3f}")
    assert 0.0 < graded < 1.0


def test_without_restrictions_it_writes_to_tmp_only(start: Start) -> None:
    """As `docker run -p 8000:8000 sre-env:latest` runs it."""
    container = healthy(start(ports={"8000/tcp": ("127.0.0.1", None)}))
    assert_whole_episode(player.play(address(container), "default"))
    changed = {change["Path"] for change in container.diff() or ()}
    assert {path for path in changed if path.split("/")[1] != "tmp"} == set()
