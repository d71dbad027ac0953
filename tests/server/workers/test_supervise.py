"""What a supervisor prepares for its workers, without starting any."""

import asyncio
import logging
import signal
import socket
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orchestrator.settings import Mode, Settings
from server.workers import supervisor
from server.workers.place import METRICS_PATH, PID_HEADER, TOKEN_HEADER, Place
from server.workers.shared_memory import MOST_WORKERS, SharedMemory
from server.workers.supervisor import check_workers, read_metrics, supervise
from sre_autopilot.capacity import MOST_SESSIONS, sessions_at_once
from sre_autopilot.errors import InvalidValue
from sre_autopilot.simulator import NAME as SIMULATOR
from tests.server.doors import on_a_port

pytestmark = pytest.mark.anyio
ANY_PORT = ("127.0.0.1", 0)
PAGE = "# TYPE a_total counter\na_total 1.0\n"


class Started:
    """What `supervise` hands to its children, which are not started."""

    def __init__(self):
        self.runs, self.died, self.served, self.watched = [], None, [], []

    def keep_alive(self, runs, died):
        self.runs, self.died = runs, died
        for run in runs:
            run()

    def serve(self, settings, place, listeners, make_app):
        self.served.append((settings, place, [each.getsockname()[1] for each in listeners]))

    def watch(self, settings, places, public):
        self.watched.append((settings, places, public.getsockname()[1]))


@pytest.fixture
def started(monkeypatch):
    started = Started()
    monkeypatch.setattr(supervisor, "keep_alive", started.keep_alive)
    monkeypatch.setattr(supervisor, "_serve", started.serve)
    monkeypatch.setattr(supervisor, "_watch", started.watch)
    monkeypatch.setattr(supervisor, "log_to_stderr", lambda: None)
    return started


def make_no_app(_settings, _place):
    raise AssertionError("no worker is started")


def test_each_worker_has_the_common_port_and_one_of_its_own(started):
    supervise(Settings(backend=SIMULATOR), ANY_PORT, 3, make_no_app)
    assert [place.number for _, place, _ in started.served] == [0, 1, 2]
    common = {ports[0] for _, _, ports in started.served}
    own = tuple(ports[1] for _, _, ports in started.served)
    assert len(common) == 1 and len({*own, *common}) == 4
    assert {place.ports for _, place, _ in started.served} == {own}
    ((_, places, public),) = started.watched
    assert {public} == common and [place.number for place in places] == [0, 1, 2]
    assert len({place.memory.fd for place in places}) == 1


@pytest.mark.parametrize(("cap", "count"), [(None, 2), (None, MOST_WORKERS), (5, 3)])
def test_the_cap_is_as_set_or_as_many_as_all_workers_carry(started, cap, count):
    settings = Settings(backend=SIMULATOR, max_sessions=cap)
    supervise(settings, ANY_PORT, count, make_no_app)
    carried = min(MOST_SESSIONS, count * sessions_at_once(Settings(backend=SIMULATOR)))
    memory = started.served[0][1].memory
    assert memory.max_sessions == (cap or carried)


def test_workers_that_judge_have_one_secret(started):
    judged = Settings(backend=SIMULATOR, mode=Mode.JUDGE, state_token="t" * 32)
    supervise(judged, ANY_PORT, 2, make_no_app)
    secrets = {settings.secret.get_secret_value() for settings, _, _ in started.served}
    assert judged.secret is None and len(secrets) == 1 and len(secrets.pop()) >= 32


def test_a_secret_that_is_set_stays(started):
    settings = Settings(backend=SIMULATOR, mode=Mode.JUDGE, state_token="t" * 32, secret="s" * 32)
    supervise(settings, ANY_PORT, 2, make_no_app)
    assert {each.secret.get_secret_value() for each, _, _ in started.served} == {"s" * 32}


def test_sessions_of_a_dead_worker_are_counted_in_the_log(started, caplog):
    supervise(Settings(backend=SIMULATOR), ANY_PORT, 2, make_no_app)
    memory = started.served[0][1].memory
    for number, name in enumerate(("one", "two", "three")):
        memory.take(number % 2, name)
    with caplog.at_level(logging.ERROR, "server.workers.supervisor"):
        started.died(0, -signal.SIGKILL)
    assert "process 0 ended with status -9, 2 sessions are lost" in caplog.text
    assert memory.in_use() == 1 and memory.is_lost("three")


def test_a_port_that_is_taken_is_refused_before_anything_starts(started):
    with socket.create_server(ANY_PORT) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port}"):
            supervise(Settings(backend=SIMULATOR), (ANY_PORT[0], port), 2, make_no_app)
    assert started.runs == []


@pytest.mark.parametrize("count", [-1, 0, MOST_WORKERS + 1])
def test_a_number_of_workers_names_its_bounds(count):
    with pytest.raises(InvalidValue, match=f"from 1 to {MOST_WORKERS}"):
        check_workers(Settings(backend=SIMULATOR), count)


async def worker(scope, receive, send):
    """As a worker answers its supervisor; metrics are for those who have the token."""
    if scope["type"] == "lifespan":
        return
    headers = dict(scope["headers"])
    token = headers.get(TOKEN_HEADER.encode(), b"")
    is_metrics = scope["path"] == METRICS_PATH
    status = 200 if not is_metrics or len(token) == 64 else 404
    pid = [(PID_HEADER.encode(), b"41")]
    await send({"type": "http.response.start", "status": status, "headers": pid})
    await send({"type": "http.response.body", "body": PAGE.encode() if is_metrics else b"{}"})


@pytest.fixture
def places():
    """Of a worker that serves and of one that does not."""
    memory = SharedMemory.create(1)
    with socket.create_server(ANY_PORT) as gone:
        port = gone.getsockname()[1]
    listener = socket.create_server(ANY_PORT)
    ports = (listener.getsockname()[1], port)
    with on_a_port(worker, listener):
        yield [Place(number, ports, memory) for number in range(2)]


def test_metrics_are_read_from_the_workers_that_answer(places):
    assert read_metrics(places) == {41: PAGE}


async def test_the_server_is_ready_once_every_worker_answers(places, caplog):
    caplog.set_level(logging.INFO, "server.workers.supervisor")
    with socket.create_server(ANY_PORT) as public:
        url = "http://{}:{}".format(*public.getsockname())
        waiting = asyncio.create_task(supervisor._say_ready(places, public))
        await supervisor._say_ready(places[:1], public)
        assert f"1 workers, running on {url}" in caplog.text
        assert not waiting.done(), "the second worker does not answer yet"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_the_watching_process_ends_with_its_signal(places, monkeypatch):
    served = list[Any]()

    @asynccontextmanager
    async def serving(registry, host, port, tokens):
        served.append((sorted(family.name for family in registry.collect()), host, port, tokens))
        signal.raise_signal(signal.SIGTERM)
        yield
        served.append("closed")

    monkeypatch.setattr(supervisor, "serving_metrics", serving)
    judged = Settings(mode=Mode.JUDGE, state_token="t" * 32, metrics_port=0)
    with socket.create_server(ANY_PORT) as public:
        await supervisor._watching(judged, places[:1], public)
    (names, host, port, tokens), closed = served
    assert (names, port, tokens) == (["a"], 0, ("t" * 32,)) and host == judged.metrics_host
    assert closed == "closed"
