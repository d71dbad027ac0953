"""One process as the zygote starts it: ready line, two ports, an end that is quick."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.process import INSTALL, ProcessSpec
from services.runtime.spec import LOOPBACK
from sre_autopilot.world.shapes import STALL_CYCLE_S
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.topology import USERS, Service
from sre_autopilot.world.vocabulary import Release

DATABASE = f"{Service.INVENTORY_DB}-0"
ENDS_WITHIN_S = 3.0
ENTRY_POINT = """
import json, sys
from services.process import ProcessSpec, serve
known = set(sys.modules)
serve(ProcessSpec.from_json(json.loads(sys.argv[1])), 1)
late = {name.partition(".")[0] for name in set(sys.modules) - known} - sys.stdlib_module_names
print(json.dumps(sorted(late)))
"""


@dataclass
class Process:
    """A process that has said it is ready."""

    ready: dict[str, Any]
    popen: subprocess.Popen[str]

    def address(self, port: str) -> str:
        return f"http://{LOOPBACK}:{self.ready[port]}"

    def put(self, route: ControlRoute, body: dict[str, Any]) -> Any:
        answer = httpx.put(f"{self.address('control_port')}{route}", json=body, trust_env=False)
        return answer.raise_for_status().json()

    def get(self, port: str, path: str, timeout_s: float = 5.0) -> httpx.Response:
        return httpx.get(f"{self.address(port)}{path}", timeout=timeout_s, trust_env=False)

    def end(self) -> tuple[int, list[str]]:
        """SIGTERM: exit code, and the packages that were imported only after the start."""
        self.popen.send_signal(signal.SIGTERM)
        out, _ = self.popen.communicate(timeout=ENDS_WITHIN_S)
        return self.popen.returncode, json.loads(out)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> Process:
        spec = ProcessSpec(name, Release.LAST_GOOD, 1, tmp_path)
        command = [sys.executable, "-c", ENTRY_POINT, json.dumps(spec.to_json())]
        popen = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(popen)
        assert popen.stdout is not None
        return Process(json.loads(popen.stdout.readline()), popen)

    yield start
    for popen in started:
        popen.kill()
        popen.communicate()


def test_a_spec_survives_json(tmp_path: Path) -> None:
    full = ProcessSpec(DATABASE, Release.CURRENT, -5, tmp_path, token="secret")
    other = replace(full, token=None, data_port=80, host="::1", runtime_memory_mb=45)
    for spec in (full, other):
        assert ProcessSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_name_says_the_kind_of_its_process(tmp_path: Path) -> None:
    spec = ProcessSpec(DATABASE, Release.CURRENT, 1, tmp_path)
    assert (spec.service, spec.service_name) == (Service.INVENTORY_DB, Service.INVENTORY_DB)
    users = replace(spec, name=USERS)
    assert (users.service, users.service_name) == (None, USERS)
    with pytest.raises(ValueError, match="nobody"):
        _ = replace(spec, name="nobody-0").service


def test_replicas_draw_apart(tmp_path: Path) -> None:
    spec = ProcessSpec(DATABASE, Release.CURRENT, 1, tmp_path)
    seeds = {spec.draw_seed, replace(spec, name=USERS).draw_seed, replace(spec, seed=2).draw_seed}
    assert len(seeds) == 3
    assert spec.draw_seed == replace(spec, release=Release.LAST_GOOD).draw_seed


def test_every_service_can_be_installed() -> None:
    assert set(INSTALL) == set(Service)


def test_a_replica_serves_both_ports_and_ends_on_sigterm(
    start: Callable[[str], Process],
) -> None:
    process = start(DATABASE)
    assert process.ready == {
        "event": "ready",
        "name": DATABASE,
        "pid": process.popen.pid,
        "data_port": process.ready["data_port"],
        "control_port": process.ready["control_port"],
    }
    health = process.get("control_port", ControlRoute.HEALTH).json()
    release = Release.LAST_GOOD
    assert health == {"status": "healthy", "replica": DATABASE, "release": release}
    release_order = process.get("control_port", ControlRoute.RELEASE).json()
    assert release_order == {"release": release, "seed": 1}
    assert process.get("data_port", "/items?limit=2").text.count("\n") == 2
    assert process.get("data_port", ControlRoute.METRICS).status_code == 404
    process.put(ControlRoute.ROUTING, {"endpoints": {}})
    exit_code, imported_late = process.end()
    assert exit_code == 0
    assert imported_late == [], "preload them: every fork would import them anew"


def test_open_cursors_and_silenced_calls_do_not_delay_the_end(
    start: Callable[[str], Process],
) -> None:
    process = start(DATABASE)
    items = f"{process.address('data_port')}/items"
    with (
        httpx.Client(trust_env=False, timeout=5.0) as client,
        client.stream("GET", items, params={"follow": True}) as cursor,
    ):
        next(cursor.iter_lines())
        process.put(ControlRoute.IMPAIRMENTS, {"step": 1, "ttl_s": 30.0, "partitioned": 1.0})
        silenced = threading.Thread(target=_expect_no_answer, args=(items,))
        silenced.start()
        exit_code, _ = process.end()
        silenced.join()
    assert exit_code == 0


def _expect_no_answer(url: str) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(url, timeout=ENDS_WITHIN_S, trust_env=False)


def timed_answers(url: str, end: threading.Event) -> list[tuple[float, float]]:
    """When each request was made and answered, one after the other until `end` is set."""
    answers = []
    with httpx.Client(trust_env=False, timeout=30.0) as client:
        while not end.is_set():
            asked_at = time.monotonic()
            client.get(url).raise_for_status()
            answers.append((asked_at, time.monotonic()))
    return answers


def test_a_stalled_replica_can_be_read_and_healed(start: Callable[[str], Process]) -> None:
    process = start(DATABASE)
    stalled = {"step": 1, "ttl_s": 30.0, "cpu_fraction": 0.2}
    assert process.put(ControlRoute.IMPAIRMENTS, stalled)["cpu_fraction"] == 0.2
    metrics = f"{process.address('control_port')}{ControlRoute.METRICS}"
    items, end = f"{process.address('data_port')}/items?limit=1", threading.Event()
    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(timed_answers, url, end) for url in (metrics, items)]
        end.wait(2.2 * STALL_CYCLE_S)
        end.set()
        scraped, served = (answers.result() for answers in asking)
    # Four fifths of every half second is a stall, and what is held up by it waits that long. The
    # control port goes on answering meanwhile, however slow the machine is.
    asked_at, answered_at = max(served, key=lambda times: times[1] - times[0])
    assert answered_at - asked_at > 0.35
    assert sum(asked_at < at and until < answered_at for at, until in scraped) >= 3
    assert process.put(ControlRoute.IMPAIRMENTS, {"step": 2, "ttl_s": 30.0})["cpu_fraction"] == 1.0
    assert process.get("data_port", "/items?limit=1").status_code == 200


def test_the_users_have_no_data_port_and_end_on_sigterm(start: Callable[[str], Process]) -> None:
    process = start(USERS)
    assert (process.ready["name"], process.ready["data_port"]) == (USERS, 0)
    endpoints = {Service.API_GATEWAY: {"nowhere": f"http://{LOOPBACK}:1"}}
    process.put(ControlRoute.ROUTING, {"endpoints": endpoints})
    exit_code, imported_late = process.end()
    assert (exit_code, imported_late) == (0, [])


def test_a_killed_replica_leaves_its_ports(start: Callable[[str], Process]) -> None:
    process = start(DATABASE)
    os.kill(process.popen.pid, signal.SIGKILL)
    assert process.popen.wait(ENDS_WITHIN_S) == -signal.SIGKILL
    with pytest.raises(httpx.ConnectError):
        process.get("data_port", "/items")
