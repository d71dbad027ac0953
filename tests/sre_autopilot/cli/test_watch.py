"""`watch` draws a session of a real server until it is over, and says what it cannot watch."""

import threading

import httpx
import pytest

from sre_autopilot.cli import watch as watching
from sre_autopilot.cli.screen import screen
from sre_autopilot.cli.watch import split_url
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.server.doors import PATIENCE_S, WAIT, Workshop, make_app, on_a_port
from tests.sre_autopilot.cli.terminal import invoke, is_narrow

TOKEN = "open-sesame"
RESTART = {"action": ActionName.RESTART, "service_id": Service.USER_DB}


@pytest.fixture(scope="module")
def url():
    with on_a_port(make_app(Workshop(), state_token=TOKEN, max_sessions=4)) as url:
        yield url


@pytest.fixture
def http(url):
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}) as http:
        yield http
        for session in http.get("/sessions").json()["sessions"]:
            http.delete(f"/sessions/{session['session_id']}")


def watch(*arguments, **environ):
    return invoke("watch", *arguments, SRE_STATE_TOKEN=TOKEN, **environ)


@pytest.mark.parametrize("by", ["name", "url", "only"])
def test_a_session_is_drawn_from_its_first_step_until_it_is_ended(url, http, monkeypatch, by):
    http.post("/reset", json={"task_tier": Tier.EASY, "seed": 3, "session_id": "mine"})
    http.post("/step", json={**RESTART, "session_id": "mine"})
    arguments = {
        "name": ("mine", "--url", url),
        "url": (f"{url}/watch/mine",),
        "only": ("--url", f"{url}/"),
    }[by]
    answered, drawn = [], threading.Event()

    def announced(*step):
        drawn.set()
        return screen(*step)

    monkeypatch.setattr(watching, "screen", announced)
    watcher = threading.Thread(target=lambda: answered.append(watch(*arguments)))
    watcher.start()
    assert drawn.wait(PATIENCE_S)
    done = False
    while not done:
        done = http.post("/step", json={**WAIT, "session_id": "mine"}).json()["done"]
    http.delete("/sessions/mine")
    watcher.join()
    (result,) = answered
    assert result.exit_code == 0, result.output
    assert "mine, an agent  step 0/30  the episode begins" in result.stdout
    assert f"step 1/30  {ActionName.RESTART} {Service.USER_DB}" in result.stdout
    assert "the episode is over, its score is 0." in result.stdout
    assert "mine: the session was ended" in result.stderr
    assert is_narrow(result.stdout)


def test_several_sessions_are_listed_and_one_is_to_be_named(url, http):
    assert "begin an episode first" in watch("--url", url).stderr
    for name in ("one", "two"):
        http.post("/reset", json={"session_id": name})
    result = watch("--url", url)
    assert result.exit_code == 2
    assert "one, two" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("mine",)])
def test_without_the_token_there_is_nothing_to_watch(url, http, arguments):
    http.post("/reset", json={"session_id": "mine"})
    result = invoke("watch", *arguments, "--url", url, SRE_STATE_TOKEN="")
    assert result.exit_code == 2
    assert "token" in result.stderr


def test_a_session_that_is_not_there_is_named(url):
    result = watch("nobody", "--url", url)
    assert result.exit_code == 2
    assert "nobody" in result.stderr


def test_a_pace_that_is_none_is_named(url, http):
    http.post("/reset", json={"session_id": "mine"})
    result = watch(f"{url}/watch/mine?pace_s=61")
    assert result.exit_code == 2
    assert "pace_s must be" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("mine",)])
def test_a_server_that_does_not_answer_is_named(arguments):
    result = watch(*arguments, "--url", "http://127.0.0.1:1")
    assert result.exit_code in (1, 2)
    assert "127.0.0.1:1" in result.stderr


@pytest.mark.parametrize(
    ("given_url", "parts"),
    [
        ("http://a:1/watch/b", ("http://a:1", "b")),
        ("http://a:1/", ("http://a:1", None)),
        ("https://a/x/watch/b", ("https://a/x", "b")),
    ],
)
def test_a_url_names_the_server_and_perhaps_the_session(given_url, parts):
    assert split_url(given_url) == parts
