"""Evaluation on servers: the same results as here, and none is lost with a server."""

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from sre_autopilot import grading
from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation import servers
from sre_autopilot.evaluation.results import read_results
from sre_autopilot.evaluation.run import Job, Meshes, play_all
from sre_autopilot.evaluation.servers import Servers
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.close_codes import CloseCode
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier
from tests.server.doors import Workshop, make_app, on_a_port, without_preparation
from tests.watched_simulator import WatchedSimulator

JOBS = [Job("runbook", tier, seed) for seed in (1, 2) for tier in (Tier.EASY, Tier.CONTROL)]
TIMED = {"duration_s"}
SIMULATED: dict[str, Any] = {"backend": SIMULATOR, "max_sessions": 2}


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    with without_preparation(), ExitStack() as all_servers:
        yield [
            all_servers.enter_context(on_a_port(app))
            for name in ("one", "two")
            for app in [make_app(Workshop(), record_dir=folder / name, **SIMULATED)]
        ]


@pytest.fixture
def dead_url():
    """Of a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def results(players, out, width):
    assert play_all(JOBS, players, out, width=width) == 0
    played = read_results(out, WatchedSimulator.name)
    return sorted((r.model_dump(exclude=TIMED) for r in played), key=str)


def test_results_are_those_of_meshes_here_and_records_come_back(urls, tmp_path):
    here = results(Meshes(WatchedSimulator, tmp_path / "here"), tmp_path / "here.jsonl", 1)
    there = results(Servers(urls, tmp_path / "there"), tmp_path / "there.jsonl", 4)
    assert here == there
    assert len(list((tmp_path / "there").glob("*.jsonl"))) == len(JOBS)


def test_episodes_of_a_dead_server_are_played_elsewhere(urls, dead_url, tmp_path):
    assert len(results(Servers([dead_url, urls[0]], tmp_path), tmp_path / "out", 2)) == len(JOBS)


def test_an_episode_waits_for_a_free_session(urls, tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "REST_S", 0.02)
    assert len(results(Servers(urls[:1], tmp_path), tmp_path / "out", 4)) == len(JOBS)


def test_an_episode_that_nobody_plays_fails_and_the_others_go_on(dead_url, tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "REST_S", 0.0)
    players = Servers([dead_url], tmp_path)
    assert play_all(JOBS[:2], players, tmp_path / "out", width=1) == 2


def test_servers_are_checked_before_anything_is_played(urls, dead_url, tmp_path):
    assert Servers(urls, tmp_path).check() == SIMULATOR
    with pytest.raises(InvalidValue, match=dead_url):
        Servers([*urls, dead_url], tmp_path).check()
    with (
        on_a_port(make_app(Workshop(), **SIMULATED)) as forgetful,
        pytest.raises(InvalidValue, match="RECORD"),
    ):
        Servers([forgetful], tmp_path).check()


def test_a_server_on_this_machine_is_reached_past_the_hosts_proxies(
    urls, tmp_path, dead_url, monkeypatch
):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, dead_url)
    monkeypatch.delenv("no_proxy", raising=False)
    assert Servers(urls, tmp_path).play(JOBS[0])


@pytest.mark.parametrize("url", ["http://a b:1\n", "http://[::1"])
def test_a_url_that_is_none_is_named(url, tmp_path):
    with pytest.raises(InvalidValue, match="workers"):
        Servers([url], tmp_path).check()


def test_policies_that_read_the_truth_are_refused(urls, tmp_path):
    with pytest.raises(InvalidValue, match="oracle"):
        Servers(urls, tmp_path).play(Job("oracle", Tier.EASY, 1))


class Answers:
    """A socket that gives these answers; an error is raised."""

    def __init__(self, *answers):
        self.sent, self._answers = [], list(answers)

    def send(self, text):
        self.sent.append(json.loads(text))

    def recv(self, _timeout_s):
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer)


def error(message, code=None):
    return {"type": "error", "data": {"message": message, "code": code}}


def closed(code):
    return ConnectionClosedError(Close(code, "as was said"), None)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error("no", "CAPACITY_REACHED"), servers.ServerFull),
        (closed(CloseCode.TRY_AGAIN_LATER), servers.ServerFull),
        (error("bad tier"), servers.ServerRefused),
        (closed(CloseCode.SERVER_STOPS), ConnectionClosedError),
        (ConnectionClosedError(None, None), ConnectionClosedError),
        (TimeoutError("silent"), TimeoutError),
    ],
)
def test_answers_of_a_server_decide_whether_another_one_is_tried(answer, kind):
    with pytest.raises(kind):
        servers._call(cast("Any", Answers(answer)), "step", {})


def test_a_refusal_of_a_server_is_not_tried_elsewhere():
    assert not issubclass(servers.ServerRefused, (servers.ServerFull, *servers.UNREACHABLE))
    assert issubclass(TimeoutError, servers.UNREACHABLE)


def test_an_episode_goes_to_the_server_that_plays_least():
    players = Servers(["http://one", "http://two", "http://three/"], Path())
    taken = [players._take() for _ in range(6)]
    assert sorted(server.url for server in taken) == sorted(
        2 * ["http://one", "http://two", "http://three"]
    )
    players._give_back(taken[4])
    assert players._take() is taken[4]


def test_a_server_that_rests_is_left_out_until_it_has_rested():
    players = Servers(["http://one", "http://two"], Path())
    one = players._take()
    players._give_back(one)
    one.rests_until = time.monotonic() + 60.0
    assert {players._take().url for _ in range(3)} == {"http://two"}
    one.rests_until = 0.0
    assert players._take() is one


def test_an_episode_waits_while_all_servers_rest():
    players = Servers(["http://one"], Path())
    players._servers[0].rests_until = began = time.monotonic() + 0.05
    assert players._take().url == "http://one"
    assert time.monotonic() >= began


def test_servers_of_several_backends_are_refused(monkeypatch):
    backends = {"http://one": SIMULATOR, "http://two": "process"}
    players = Servers(list(backends), Path())
    monkeypatch.setattr(players, "_backend_of", backends.get)
    with pytest.raises(InvalidValue, match="one backend"):
        players.check()


def answered(**changes):
    """What a server says of itself, by path."""
    environment = {"world_version": WORLD_VERSION, "backend": SIMULATOR} | changes
    return {"/tasks": {"environment": environment}, "/records?limit=1": {"kept": True}}


@pytest.mark.parametrize(
    ("pages", "valid"),
    [
        (answered(world_version="other"), f"world version {WORLD_VERSION}"),
        (answered() | {"/records?limit=1": {"kept": False}}, "SRE_RECORD_DIR"),
        (answered() | {"/tasks": {}}, "URL of a server that answers"),
    ],
)
def test_a_server_that_cannot_play_is_refused_with_what_it_lacks(pages, valid, monkeypatch):
    players = Servers(["http://one"], Path())
    get = Mock(side_effect=lambda _url, path: httpx.Response(200, json=pages[path]))
    monkeypatch.setattr(players, "_get", get)
    with pytest.raises(InvalidValue, match=valid) as refusal:
        players.check()
    assert "http://one" in str(refusal.value)


def test_judged_servers_are_refused_when_they_play_other_seeds(urls, tmp_path, monkeypatch):
    records = grading.read_episodes
    monkeypatch.setattr(
        grading,
        "read_episodes",
        lambda lines: (
            record.model_copy(update={"seed": record.seed + 1}) for record in records(lines)
        ),
    )
    with pytest.raises(servers.ServerRefused, match="judged"):
        Servers(urls[:1], tmp_path).play(JOBS[0])


def test_records_ask_with_the_token(urls, tmp_path):
    assert Servers(urls, tmp_path, "token")._headers == {"Authorization": "Bearer token"}
    assert Servers(urls, tmp_path)._headers == {}
