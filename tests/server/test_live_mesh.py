"""The server over real meshes: two players at full rate, and nothing left when it is killed."""

import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from orchestrator.validation import MAX_SEED
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier
from tests.server.doors import CALL_TIMEOUT_S, WAIT, sessions_in_use, until
from tests.server.processes import family, served

STEPS = 8
EXIT_TIMEOUT_S = 15.0


def play(url, player, together):
    """Windows seen by one player, who begins with the others."""
    session, tier, seed = player
    with httpx.Client(base_url=url, timeout=CALL_TIMEOUT_S) as client:
        together.wait(CALL_TIMEOUT_S)
        reset = {"session_id": session, "task_tier": tier, "seed": seed}
        answers = [client.post("/reset", json=reset)]
        for _ in range(STEPS):
            answers.append(client.post("/step", json={**WAIT, "session_id": session}))
        assert {answer.status_code for answer in answers} == {200}, answers[-1].text
        return [answer.json()["observation"] for answer in answers]


@pytest.mark.live
def test_two_play_at_full_rate(tmp_path):
    full = {"SRE_MAX_SESSIONS": "2"}
    with served(tmp_path, **full) as server, httpx.Client(base_url=server.url) as client:
        assert len(family(server.process.pid)) == 1, "no mesh before the first reset"
        together = threading.Barrier(2)
        players = (("left", Tier.CONTROL, 1), ("right", Tier.CONTROL, MAX_SEED))
        with ThreadPoolExecutor(len(players)) as pool:
            played = list(pool.map(lambda p: play(server.url, p, together), players))
        for windows in played:
            assert [window["step"] for window in windows] == list(range(STEPS + 1))
            arrived = [
                service
                for window in windows
                for service in Service
                if window["metrics"][service]["latency_p99"] is not None
            ]
            assert len(arrived) > 0.6 * len(windows) * len(Service)
        assert client.get("/ready").status_code == 503
        states = [client.get(f"/state?session_id={s}").json()["hidden"] for s in ("left", "right")]
        for state in states:
            calls = [true["calls"] for true in state["true"].values()]
            assert min(calls) > 0, "traffic still flows in both"
        for session in ("left", "right"):
            assert client.delete(f"/sessions/{session}").status_code == 204
        assert sessions_in_use(client) == 0
        until(lambda: len(family(server.process.pid)) == 1)
        assert not re.search("Traceback|ERROR", server.log.read_text())


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_server_leaves_no_process(tmp_path, by):
    with served(tmp_path) as server:
        answer = httpx.post(f"{server.url}/reset", timeout=CALL_TIMEOUT_S)
        assert answer.status_code == 200, answer.text
        processes = family(server.process.pid)
        assert len(processes) > len(Service)
        server.process.send_signal(by)
        server.process.wait(EXIT_TIMEOUT_S)
        until(lambda: not [p for p in processes if p.alive], EXIT_TIMEOUT_S)
        if by is not signal.SIGKILL:
            assert not list(tmp_path.glob("sre-mesh-*"))
            assert "Traceback" not in server.log.read_text()
