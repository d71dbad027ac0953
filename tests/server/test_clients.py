"""Everybody's client plays an episode: OpenEnv's own, a bare socket, curl, and the typed one."""

import json
import re
import textwrap
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from openenv.cli._validation import validate_running_environment
from openenv.core import GenericEnvClient
from openenv.core.mcp_client import MCPToolClient
from websockets.sync.client import connect

from sre_autopilot import client as client_module
from sre_autopilot.client import SREAction, SREEnv, SREState
from sre_autopilot.errors import InvalidAction
from sre_autopilot.models import SREObservation
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier
from tests.server.doors import WAIT, Workshop, sessions_in_use, until

RESTART = {"action": ActionName.RESTART, "service_id": Service.USER_DB}
Step = Callable[[dict[str, Any]], tuple[float, bool]]


def play_out(step: Step) -> float:
    """One restart, then patience; the last reward. Every reward but that is 0."""
    rewards = [step(RESTART)]
    while not rewards[-1][1]:
        assert rewards[-1][0] == 0.0
        rewards.append(step(WAIT))
    assert len(rewards) == MAX_STEPS
    assert 0.01 <= rewards[-1][0] <= 0.99
    return rewards[-1][0]


@pytest.fixture
def gone(workshop: Workshop, caller: httpx.Client):
    """After the test no session is left, and no mesh."""
    yield
    until(lambda: sessions_in_use(caller) == 0)
    until(lambda: not workshop.running)
    assert workshop.made


def test_openenv_validates_it(url):
    report = validate_running_environment(url)
    assert report["passed"], report
    assert report["summary"]["passed_count"] == report["summary"]["total_count"] == 6
    assert report["mode"] == "simulation"


def test_openenv_s_generic_client_plays(url, gone):
    with GenericEnvClient(base_url=url).sync() as env:
        env.reset(task_tier=Tier.MEDIUM, seed=4)

        def step(action):
            result = env.step(action)
            return result.reward, result.done

        play_out(step)
        assert env.state()["done"] is True


def test_a_bare_websocket_plays(url, gone):
    with connect(url.replace("http", "ws") + "/ws") as socket:

        def ask(kind, data):
            socket.send(json.dumps({"type": kind, "data": data}))
            answer = json.loads(socket.recv())
            assert answer["type"] == "observation", answer
            return answer["data"]

        def step(action):
            result = ask("step", action)
            return result["reward"], result["done"]

        assert ask("reset", {"task_tier": Tier.HARD, "seed": 1})["done"] is False
        play_out(step)


@pytest.mark.parametrize("nested", [False, True])
def test_bare_http_plays(caller, nested):
    first = caller.post("/reset", json={"task_tier": Tier.HARD, "seed": 1})
    assert first.status_code == 200
    assert first.json().keys() == {"observation", "reward", "done", "session_id"}
    assert first.json()["reward"] == 0.0 and first.json()["done"] is False

    def step(action):
        answer = caller.post("/step", json={"action": action} if nested else action)
        assert answer.status_code == 200, answer.text
        result = answer.json()
        assert result["observation"]["step"] == caller.get("/state").json()["step_count"]
        return result["reward"], result["done"]

    play_out(step)
    assert caller.delete("/sessions/default").status_code == 204


def test_flat_and_nested_steps_are_the_same(caller):
    answers = []
    for body in (RESTART, {"action": RESTART}, {"action": RESTART["action"], **RESTART}):
        caller.post("/reset", json={"seed": 2})
        answers.append(caller.post("/step", json=body).json())
    assert answers[0] == answers[1] == answers[2]
    assert answers[0]["observation"]["action_history"] == [RESTART]


def test_an_empty_reset_begins_the_easy_tier(caller):
    bodies: list[dict[str, Any]] = [{}, {"json": {}}, {"content": b""}]
    for body in bodies:
        assert caller.post("/reset", **body).status_code == 200
        assert caller.get("/state").json()["hidden"]["tier"] == Tier.EASY


def test_the_quick_start_works_word_for_word(url, gone):
    indented = re.findall(r"(?m)^    .*$", client_module.__doc__ or "")
    code = textwrap.dedent("\n".join(indented)).replace("http://localhost:8000", url)
    assert "SREEnv(base_url=" in code and "env.step(SREAction(" in code
    names: dict[str, Any] = {"SREEnv": SREEnv, "SREAction": SREAction}
    exec(code, names)
    result = names["result"]
    try:
        assert result.reward == result.observation.reward == 0.0
        assert result.done is False and result.observation.step == 1
        assert isinstance(result.observation, SREObservation)
    finally:
        names["env"].close()


def test_the_typed_client_plays_to_the_score(url, gone):
    with SREEnv(base_url=url).sync() as env:
        env.reset(task_tier=Tier.EASY, seed=3, episode_id="typed")

        def step(action):
            result = env.step(SREAction.model_validate(action))
            assert (result.reward, result.done) == (
                result.observation.reward,
                result.observation.done,
            )
            return result.reward, result.done

        play_out(step)
        state = env.state()
        assert isinstance(state, SREState)
        assert (state.episode_id, state.step_count, state.done) == ("typed", MAX_STEPS, True)


@pytest.mark.anyio
async def test_the_typed_client_can_be_awaited(url, gone):
    async with SREEnv(base_url=url) as env:
        result = await env.reset(task_tier=Tier.MEDIUM, seed=1)
        assert result.observation.step == 0
        with pytest.raises(InvalidAction, match="service_id: is missing"):
            await env.step({"action": ActionName.RESTART})
        result = await env.step(SREAction(action=ActionName.WAIT))
        assert result.observation.step == 1
        assert (await env.state()).step_count == 1


def test_openenv_s_tool_client_plays(url, gone):
    with MCPToolClient(base_url=url, mode="production").sync() as env:
        assert {tool.name for tool in env.list_tools()} >= {*ActionName}
        begun = env.call_tool("begin_episode", task_tier=Tier.EASY, seed=1)
        assert begun["done"] is False
        stepped = env.call_tool(ActionName.RESTART, service_id=Service.USER_DB)
        assert stepped["observation"]["step"] == 1
