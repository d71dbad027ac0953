"""A server of two processes, from outside: one dies, another takes its place; none is left."""

import contextlib
import os
import re
import signal
import socket

import httpx
import pytest

from orchestrator.settings import Settings
from server.workers import supervisor
from server.workers.place import Place
from server.workers.shared_memory import SharedMemory
from server.workers.supervisor import check_workers
from sre_autopilot.errors import InvalidValue
from tests.server.doors import CALL_TIMEOUT_S, WAIT, until
from tests.server.processes import COMMAND, family, served

METRICS = re.compile(r"metrics on (http://\S+)")
SESSIONS = 8


@pytest.mark.parametrize(("backend", "count"), [("simulator", 0), ("simulator", 65), ("docker", 2)])
def test_a_number_that_cannot_be_is_refused(backend, count):
    with pytest.raises(InvalidValue, match="workers must be"):
        check_workers(Settings(backend=backend), count)
    check_workers(Settings(backend=backend), 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_all_workers_listen_on_one_port(host):
    listeners = supervisor._listeners(host, 0, 3)
    addresses = {listener.getsockname()[:2] for listener in listeners}
    assert len(addresses) == 1 and addresses.pop()[1] > 0
    for listener in listeners:
        listener.close()


def test_a_worker_that_does_not_answer_has_no_metrics():
    memory = SharedMemory.create(1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert supervisor.read_metrics([Place(0, (port,), memory)]) == {}
    os.close(memory.fd)


def episodes(url):
    page = httpx.get(url, timeout=CALL_TIMEOUT_S).text
    return float(re.findall(r"^sre_episodes_total (\S+)", page, re.MULTILINE)[0])


def step(client, name):
    """The client's connection may have been to the process that has died."""
    with contextlib.suppress(httpx.TransportError):
        client.get("/health")
    return client.post("/step", json={"session_id": name, **WAIT})


def test_a_dead_worker_takes_its_own_sessions_alone_and_all_die_with_the_server(tmp_path):
    with (
        served(tmp_path, (*COMMAND, "--workers", "2"), SRE_BACKEND="simulator") as server,
        httpx.Client(base_url=server.url, timeout=CALL_TIMEOUT_S) as client,
    ):
        metrics = METRICS.findall(server.log.read_text())[0]
        names = [f"session-{number}" for number in range(SESSIONS)]
        for name in names:
            client.post("/reset", json={"session_id": name}).raise_for_status()
        assert episodes(metrics) == SESSIONS
        first, *_ = sorted(each.pid for each in family(server.process.pid))[1:]
        os.kill(first, signal.SIGKILL)
        until(lambda: "sessions are lost" in server.log.read_text(), CALL_TIMEOUT_S)
        answers = [step(client, name) for name in names]
        lost = [answer.json()["error"] for answer in answers if answer.status_code == 404]
        assert 0 < len(lost) < SESSIONS and set(lost) == {"session_lost"}
        assert {answer.status_code for answer in answers} == {200, 404}
        assert client.get("/ready").json()["sessions"] == SESSIONS - len(lost)
        assert episodes(metrics) == SESSIONS, "what a dead worker has counted stays"
        everybody = family(server.process.pid)
        assert len(everybody) == 4
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        until(lambda: not any(each.alive for each in everybody), CALL_TIMEOUT_S)
