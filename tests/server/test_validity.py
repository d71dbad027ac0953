"""Whether a score can be trusted: said with the score and to operators, never to an agent."""

import re

import httpx
import pytest

from sre_autopilot.world import signals
from sre_autopilot.world.vocabulary import Tier
from tests.busy_simulator import BusySimulator, LapsingSimulator
from tests.server.doors import WAIT, Workshop, in_process, make_app

pytestmark = pytest.mark.anyio

SECRET = re.compile(
    r"validity|contended|run_queue|lateness|overshoot|stolen|lapsed|\bhost\b|broken:"
)
CONTROL = {"task_tier": Tier.CONTROL, "seed": 1}


async def play(client: httpx.AsyncClient) -> list[str]:
    """All that an agent is answered in a whole episode."""
    answers = [await client.post("/reset", json=CONTROL)]
    while not answers[-1].json().get("done"):
        answers += [await client.get("/state"), await client.post("/step", json=WAIT)]
        answers[-1].raise_for_status()
    return [answer.text for answer in answers]


@pytest.mark.parametrize("kind", [BusySimulator, LapsingSimulator])
async def test_an_agent_sees_nothing_of_it(kind):
    app = make_app(Workshop(kind), state_token="secret")
    async with in_process(app) as client:
        for text in await play(client):
            assert not SECRET.search(text), SECRET.search(text)


@pytest.mark.parametrize(
    ("kind", "verdict", "text"),
    [
        (BusySimulator, "contended", "do not trust the score"),
        (LapsingSimulator, "broken", "the score means nothing"),
    ],
)
async def test_the_grader_says_it_with_the_score(kind, verdict, text):
    async with in_process(make_app(Workshop(kind))) as client:
        await play(client)
        validity = (await client.get("/grader")).json()["validity"]
    assert validity.keys() == {"verdict", "windows", "contended_windows", "text"}
    assert validity["verdict"] == verdict and text in validity["text"]


async def test_episodes_that_the_server_plays_itself_have_it_too():
    async with in_process(make_app(Workshop(BusySimulator))) as client:
        graded = (await client.get("/grader", params={"tier": Tier.EASY})).json()
        baseline = (await client.get("/baseline")).json()
    assert graded["validity"]["verdict"] == "contended"
    assert baseline["validity"].keys() == baseline["scores"].keys()
    assert set(baseline["validity"].values()) == {"contended"}


@pytest.mark.parametrize(
    ("kind", "verdict", "contended"),
    [(BusySimulator, "contended", 1), (LapsingSimulator, "broken", 0)],
)
async def test_operators_count_episodes_by_it(kind, verdict, contended, caplog):
    caplog.set_level("INFO", "server")
    async with in_process(make_app(Workshop(kind))) as client:
        (url,) = re.findall(r"metrics on (http://\S+)", caplog.text)
        async with httpx.AsyncClient() as operator:
            await play(client)
            page = (await operator.get(url)).text
    assert f'{signals.EPISODE_VALIDITY}{{validity="{verdict}"}} 1.0' in page
    assert f'{signals.EPISODE_VALIDITY}{{validity="valid"}} 0.0' in page
    assert f'{signals.WINDOW_CONTENDED}{{session="default"}} {float(contended)}' in page
