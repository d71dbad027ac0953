"""A server that is stopped in the middle of resets answers each of them, and ends."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from server.schemas import Problem
from sre_autopilot.world.close_codes import CloseCode
from tests.server.doors import CALL_TIMEOUT_S, until
from tests.server.endless_reset import EndlessReset
from tests.server.processes import served

RESETS = 3
BACKEND = f"{EndlessReset.__module__}:{EndlessReset.__name__}"
HASTY = """
import sys
import server.app
server.app.SHUTDOWN_TIMEOUT_S = 1
server.app.main(sys.argv[1:])
"""
COMMAND = (sys.executable, "-c", HASTY, "--host", "127.0.0.1", "--port", "0")


def test_stop_in_mid_reset_answers_every_open_call(tmp_path):
    settings = {"SRE_BACKEND": BACKEND, "SRE_MAX_SESSIONS": "8"}
    with served(tmp_path, COMMAND, **settings) as server, ThreadPoolExecutor(RESETS) as pool:

        def reset(number: int) -> httpx.Response:
            body = {"session_id": f"s{number}"}
            return httpx.post(f"{server.url}/reset", json=body, timeout=CALL_TIMEOUT_S)

        answers = [pool.submit(reset, number) for number in range(RESETS)]
        with connect(f"{server.url.replace('http', 'ws')}/ws") as socket:
            socket.send('{"type": "reset", "data": {}}')
            until(lambda: server.log.read_text().count("launching") == RESETS + 1)
            server.process.send_signal(signal.SIGTERM)
            for answer in answers:
                response = answer.result(CALL_TIMEOUT_S)
                assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
                problem = Problem.model_validate(response.json())
                assert problem.error in {"server_stopping", "environment_closed"}
                assert response.headers["Retry-After"]
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(CALL_TIMEOUT_S)
            assert closed.value.rcvd and closed.value.rcvd.code == CloseCode.SERVER_STOPS
        assert server.process.wait(CALL_TIMEOUT_S) == -signal.SIGTERM
        assert "Traceback" not in server.log.read_text()
