"""The server over the simulator itself: quick scores, and many players who do not touch."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient
from websockets.sync.client import connect

from benchmarks.sessions import STEPS as MEASURED
from benchmarks.sessions import play_at_once
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from orchestrator.settings import Settings
from server.app import create_app
from sre_autopilot import grading
from sre_autopilot.policies.heuristic import Heuristic
from sre_autopilot.policies.play import play_async
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, ActionName, Tier
from tests.server.doors import Workshop, on_a_port
from tests.watched_simulator import WatchedSimulator

PLAYERS = 6
STEPS = 10
BASELINE_S = 1.0
SCRIPT = {
    2: {"action": ActionName.RESTART, "service_id": Service.AUTH_SERVICE},
    4: {"action": ActionName.CIRCUIT_BREAK, "service_id": Service.PAYMENT_GATEWAY},
    6: {"action": ActionName.ROLLBACK, "service_id": Service.USER_DB},
}
WAIT = {"action": ActionName.WAIT}


@pytest.fixture
def simulated(tmp_path):
    settings = Settings(
        backend=SimulatorBackend.name, metrics_port=0, max_sessions=64, record_dir=tmp_path
    )
    return create_app(settings)


@pytest.fixture
def real_by_default():
    """A server over processes, as it is started; no mesh is begun here."""
    with TestClient(create_app(Settings(metrics_port=0))) as client:
        yield client


async def scored(tier, seed):
    environment = Environment(SimulatorBackend)
    try:
        return (await play_async(environment, Heuristic(), tier, seed))[1]
    finally:
        await environment.aclose()


def test_quick_scores_come_from_the_simulator_whatever_is_served(real_by_default):
    grading_answer = real_by_default.get("/grader", params={"tier": Tier.HARD, "seed": 2}).json()
    assert grading_answer["backend"] == SimulatorBackend.name
    assert grading_answer["score"] == round(asyncio.run(scored(Tier.HARD, 2)).total, 4)
    baseline = real_by_default.get("/baseline", params={"seed": 2}).json()
    assert baseline["backend"] == SimulatorBackend.name
    assert baseline["scores"].keys() == set(DEFAULT_TIERS)
    assert baseline["scores"][Tier.HARD] == grading_answer["score"]


def test_the_baseline_takes_less_than_a_second(real_by_default):
    real_by_default.get("/baseline")  # The first request waits for NumPy to be imported, too.

    def cpu_s():
        began = time.process_time()
        assert real_by_default.get("/baseline").status_code == 200
        return time.process_time() - began

    assert min(cpu_s() for _ in range(3)) < BASELINE_S


@pytest.mark.parametrize("path", ["/grader?tier=easy", "/baseline?"])
def test_another_world_is_played_where_it_is_named(path):
    workshop, asked = Workshop(), []

    def make(settings):
        asked.append(settings.backend)
        return workshop.make(settings)

    app = create_app(Settings(metrics_port=0, backend=ProcessBackend.name), make)
    with TestClient(app) as client:
        answer = client.get(f"{path}&backend={ProcessBackend.name}").json()
        assert asked[-1] == ProcessBackend.name
        assert answer["backend"] == WatchedSimulator.name, (
            "what was played says its name, not the caller"
        )
        client.get(path)
        assert asked[-1] == SimulatorBackend.name
    assert not workshop.running


@pytest.mark.parametrize("path", ["/grader?tier=easy", "/baseline?"])
def test_a_world_that_is_not_there_lists_those_that_are(real_by_default, path):
    answer = real_by_default.get(f"{path}&backend=marble")
    assert answer.status_code == 422
    assert SimulatorBackend.name in answer.json()["detail"]
    assert real_by_default.get("/ready").json()["sessions"] == 0


def play(url, episode_id, seed):
    """Plays a script over WebSocket; what the agent saw."""
    with connect(url.replace("http", "ws", 1) + "/ws") as socket:

        def ask(kind, data):
            socket.send(json.dumps({"type": kind, "data": data}))
            answer = json.loads(socket.recv())
            assert answer["type"] == "observation", answer
            return answer["data"]

        tier = list(Tier)[seed % len(Tier)]
        answers = [ask("reset", {"seed": seed, "task_tier": tier, "episode_id": episode_id})]
        for step in range(1, STEPS + 1):
            answers.append(ask("step", SCRIPT.get((step + seed) % STEPS, WAIT)))
        return answers


def own_record(folder, episode_id):
    """The record, but for what only the clock and the caller decide."""
    lines = (folder / f"{episode_id}.jsonl").read_text(encoding="ascii").splitlines()
    (record,) = grading.read_episodes(lines)
    steps = tuple(step.model_copy(update={"duration_s": None}) for step in record.steps)
    return record.model_copy(update={"episode_id": "any", "steps": steps}).model_dump_json()


def test_many_players_see_what_each_would_see_alone(simulated, tmp_path):
    seeds = range(PLAYERS)
    with on_a_port(simulated) as url:
        alone = [play(url, f"alone-{seed}", seed) for seed in seeds]
        with ThreadPoolExecutor(PLAYERS) as pool:
            together = list(pool.map(lambda seed: play(url, f"crowd-{seed}", seed), seeds))
    assert together == alone
    for seed in seeds:
        assert own_record(tmp_path, f"crowd-{seed}") == own_record(tmp_path, f"alone-{seed}")
    assert len({own_record(tmp_path, f"alone-{seed}") for seed in seeds}) == PLAYERS


def test_the_benchmark_times_every_step_of_every_session(simulated):
    with on_a_port(simulated) as url:
        waited = asyncio.run(play_at_once(url, sessions=2, think_s=0.0))
    assert [len(session) for session in waited] == [MEASURED, MEASURED]
    assert all(took_s > 0.0 for session in waited for took_s in session)
