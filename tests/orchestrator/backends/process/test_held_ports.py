"""The port of a dead process is nobody else's."""

import os
import socket

import pytest

from orchestrator.backends.process.held_ports import MOST, HeldPorts
from services.runtime.server import bind
from services.runtime.spec import LOOPBACK

NOBODY = 65534
OPTIONS = [(), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,)]


@pytest.fixture
def ports():
    ports = HeldPorts(LOOPBACK)
    yield ports
    ports.close()


def is_refused(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex((LOOPBACK, port)) != 0


def can_bind(port: int, options: tuple[int, ...] = ()) -> bool:
    with socket.socket() as stranger:
        for option in options:
            stranger.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            stranger.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def test_a_process_serves_on_its_port_and_leaves_it_refused(ports):
    port = ports.take()
    assert is_refused(port)
    with bind(LOOPBACK, port):
        assert not is_refused(port)
    assert is_refused(port)
    with bind(LOOPBACK, port):  # a successor
        assert not is_refused(port)


def test_a_program_that_knows_nothing_of_it_cannot_have_it(ports):
    port = ports.take()
    assert not any(can_bind(port, options) for options in OPTIONS[:2])
    ports.close()
    assert can_bind(port)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_cannot_have_it(ports):
    port = ports.take()
    pid = os.fork()
    if pid == 0:
        os.setuid(NOBODY)
        os._exit(any(can_bind(port, options) for options in OPTIONS))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_oldest_are_let_go(ports):
    first, *others = (ports.take() for _ in range(MOST + 1))
    assert can_bind(first)
    assert not can_bind(others[0])
