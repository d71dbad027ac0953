"""An honest session's steps are in time, whatever strangers send to the same server."""

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.server.attack import ATTACKS
from tests.server.doors import CALL_TIMEOUT_S, WAIT
from tests.server.processes import served

MAX_LATE_S = 0.5
QUIET_STEPS, ATTACKED_S = 25, 6.0


@contextmanager
def attacked(url, kind):
    command = (sys.executable, "-m", "tests.server.attack", url, kind, "60")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"attacking\n"
            yield process
            assert process.poll() is None, "the attack went on to the end"
        finally:
            process.kill()


def waited_s(pid):
    """How long the server and this client have waited for a CPU so far."""
    stats = (Path(f"/proc/{each}/schedstat").read_text().split() for each in (pid, "self"))
    return sum(int(waited) for _, waited, _ in stats) / 1e9


def latencies(client, pid, enough):
    """Seconds of each step until `enough(steps, seconds)`; an ended episode begins anew.

    Without those that server and client waited for a CPU: other programs are not measured.
    """
    taken: list[float] = []
    began = time.monotonic()
    while not enough(len(taken), time.monotonic() - began):
        sent, waited = time.monotonic(), waited_s(pid)
        answer = client.post("/step", json=WAIT)
        taken.append(time.monotonic() - sent - (waited_s(pid) - waited))
        assert answer.status_code == 200, answer.text
        if answer.json()["done"]:
            client.post("/reset", json={"seed": 1})
    return taken


@pytest.mark.live
@pytest.mark.parametrize("kind", ATTACKS)
def test_an_honest_session_is_not_late_under_attack(tmp_path, kind, record_property):
    with (
        served(tmp_path, SRE_BACKEND="simulator") as server,
        httpx.Client(base_url=server.url, timeout=CALL_TIMEOUT_S) as client,
    ):
        client.post("/reset", json={"seed": 1})
        quiet = latencies(client, server.process.pid, lambda steps, _: steps >= QUIET_STEPS)
        with attacked(server.url, kind):
            under_attack = latencies(
                client, server.process.pid, lambda _, seconds: seconds >= ATTACKED_S
            )
        late_s = max(under_attack) - min(quiet)
        record_property("late_s", late_s)
        assert late_s <= MAX_LATE_S
        assert client.get("/health").status_code == 200
        assert "Traceback" not in server.log.read_text()
