"""`serve` hands address and port to the server, and the backend to its settings."""

import os
import socket
from contextlib import closing

import pytest

from server import app as server
from server import uvicorn_options
from tests.sre_autopilot.cli.terminal import invoke


@pytest.fixture
def served(monkeypatch):
    calls = []
    monkeypatch.setattr(server, "run", lambda *arguments: calls.append(arguments))
    monkeypatch.setattr(uvicorn_options, "check_port", lambda *_: None)
    monkeypatch.setenv("SRE_BACKEND", "process")
    return calls


def test_address_and_port_are_handed_over(served):
    result = invoke("serve", "--host", "127.0.0.1", "--port", 8123, "--workers", 2)
    assert result.exit_code == 0, result.output
    assert served == [("127.0.0.1", 8123, 2)]


def test_the_defaults_are_those_of_the_documents(served):
    invoke("serve")
    assert served == [("0.0.0.0", 8000, 1)]


def test_a_backend_becomes_the_setting_of_the_server(served, monkeypatch):
    backends = []
    monkeypatch.setattr(
        server, "run", lambda *_arguments: backends.append(os.environ["SRE_BACKEND"])
    )
    assert invoke("serve", "--backend", "simulator").exit_code == 0
    assert backends == ["simulator"]


@pytest.mark.parametrize("port", ["-1", "65536", "many"])
def test_a_port_that_cannot_be_is_refused(served, port):
    result = invoke("serve", "--port", port)
    assert result.exit_code == 2
    assert "--port" in result.stderr and served == []


def test_console_and_folder_of_records_are_named(served, monkeypatch, tmp_path):
    assert "http://localhost:8123/web; records: not kept" in invoke("serve", "--port", 8123).stderr
    monkeypatch.setenv("SRE_RECORD_DIR", str(tmp_path))
    assert f"records: in {tmp_path}" in invoke("serve").stderr.replace("\n", "")


def test_no_console_is_named_where_the_port_is_taken():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        result = invoke("serve", "--host", "127.0.0.1", "--port", port)
    assert result.exit_code == 2
    assert str(port) in result.stderr and "/web" not in result.stderr
