"""What the engine's client raises becomes an error of ours, and says which."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import socket
from threading import Thread

import docker
import pytest

from orchestrator.broker.docker_engine import (
    ContainerMissing,
    DockerEngine,
    EngineFailed,
    EngineSilent,
)
from orchestrator.errors import BackendError
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import Network
from sre_autopilot.world.topology import Service
from tests.orchestrator.broker.fake_docker import PaperEngine

NAME = str(ReplicaId(Service.USER_DB, 0))
CONTAINER = PaperEngine.of([NAME]).inspect(NAME)
API_VERSION = "1.41"

CALLS: tuple[Callable[[DockerEngine], object], ...] = (
    lambda engine: engine.listed(),
    lambda engine: engine.inspect(NAME),
    lambda engine: engine.start(CONTAINER),
    lambda engine: engine.restart(CONTAINER),
    lambda engine: engine.stop(CONTAINER, 0.1),
    lambda engine: engine.connect(CONTAINER, Network.MESH, ()),
    lambda engine: engine.disconnect(CONTAINER),
    lambda engine: engine.give_cpu(CONTAINER, 1.0),
    lambda engine: engine.give_memory(CONTAINER, 64),
    lambda engine: engine.unpause(CONTAINER),
    lambda engine: engine.listing(),
)


@contextmanager
def engine_at(url: str) -> Iterator[DockerEngine]:
    with closing(docker.APIClient(url, version=API_VERSION, timeout=5)) as api:
        yield DockerEngine(api, "paper")


@contextmanager
def answering(status: int, body: bytes) -> Iterator[DockerEngine]:
    """An engine that always answers the same."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - so http.server has it

        def log_message(self, format: str, *args: object) -> None:
            """Unread."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with engine_at(f"tcp://127.0.0.1:{server.server_port}") as engine:
            yield engine
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("call", CALLS)
def test_an_engine_that_is_away(call: Callable[[DockerEngine], object]) -> None:
    with socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and does not listen
        with (
            engine_at(f"tcp://127.0.0.1:{deaf.getsockname()[1]}") as engine,
            pytest.raises(EngineSilent) as caught,
        ):
            call(engine)
    assert isinstance(caught.value, BackendError)


@pytest.mark.parametrize("call", CALLS)
def test_an_engine_that_refuses_is_quoted(call: Callable[[DockerEngine], object]) -> None:
    with (
        answering(409, b'{"message": "it is on fire"}') as engine,
        pytest.raises(EngineFailed, match="it is on fire") as caught,
    ):
        call(engine)
    assert not isinstance(caught.value, EngineSilent)


def test_a_stack_that_is_not_up_is_named() -> None:
    with answering(200, b"[]") as engine:
        assert engine.listed() == {}
        with pytest.raises(ContainerMissing, match="paper has no container user_db-0"):
            engine.inspect(NAME)
        with pytest.raises(EngineFailed, match="paper has no network mesh"):
            engine.connect(CONTAINER, Network.MESH, ())


def test_an_engine_that_answers_no_json() -> None:
    with answering(200, b"<html>") as engine, pytest.raises(EngineSilent):
        engine.listed()
