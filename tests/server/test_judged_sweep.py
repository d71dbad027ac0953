"""A judged server tells no agent what is hidden, by no door, during an episode or after its end."""

import pytest
from fastmcp import Client
from starlette.testclient import TestClient

from orchestrator.secrecy import Secrecy
from orchestrator.settings import Mode
from sre_autopilot.grading import EpisodeRecord, read_episodes
from sre_autopilot.world.draws import visible_seed
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.server.doors import WAIT, make_app, on_a_port
from tests.server.every_door import TOKEN, play_at, tell, try_every_door
from tests.server.leaks import Fetched, leaks, secrets_of

SECRET = "a-secret-that-is-long-enough"
SEED = 5
SWEPT = (Tier.HARD, Tier.EXPERT)


@pytest.fixture
def judged_app(workshop, tmp_path):
    return make_app(
        workshop,
        mode=Mode.JUDGE,
        state_token=TOKEN,
        secret=SECRET,
        record_dir=tmp_path,
        max_sessions=8,
        graded_per_minute=100_000,
        resets_per_minute=100_000,
    )


@pytest.fixture
def judged(judged_app):
    with TestClient(judged_app, raise_server_exceptions=False) as client:
        yield client


def records(tmp_path) -> list[EpisodeRecord]:
    return [
        record
        for file in tmp_path.glob("*.jsonl")
        for record in read_episodes(file.read_text().splitlines())
    ]


def leaks_of(fetched: Fetched, record: EpisodeRecord) -> list[tuple[str, str]]:
    """Words of the faults that were played, and the numbers that lead to them."""
    texts, field_names = secrets_of(Tier(record.tier), record.seed)
    visible = visible_seed(record.seed, record.episode_key)
    numbers = {str(number) for number in (record.seed, record.episode_key, visible)}
    return leaks(fetched, (texts | numbers | {SECRET}, field_names | {"episode_key"}))


def test_no_door_tells_what_is_hidden(judged, tmp_path):
    fetched, sessions = [], []
    for tier in SWEPT:
        fetched += play_at(judged, tier, SEED, steps=0)
        begun = judged.post("/reset", json={"task_tier": tier, "seed": SEED})
        sessions.append(begun.json()["session_id"])
    fetched += try_every_door(judged, judged.app, sessions)
    for session in sessions:
        step = WAIT | {"session_id": session}
        while not judged.post("/step", json=step).json().get("done", True):
            pass
    fetched += try_every_door(judged, judged.app, sessions)
    answered = [text for asked, text in fetched if "session_id" in asked]
    assert any(text.startswith("200") for text in answered)
    assert not any(text.startswith("429") for _, text in fetched)
    for session in sessions:
        judged.delete(f"/sessions/{session}")
    played = records(tmp_path)
    assert len(played) == 4 * len(SWEPT), "over HTTP twice, by WebSocket and by MCP"
    secrecy = Secrecy(SECRET.encode())
    assert {record.seed for record in played} == {secrecy.seed(tier, SEED) for tier in SWEPT}
    for record in played:
        assert leaks_of(fetched, record) == []


@pytest.mark.anyio
async def test_no_tool_of_mcp_tells_what_is_hidden(judged_app, tmp_path):
    fetched = []
    with on_a_port(judged_app) as url:
        async with Client(f"{url}/mcp") as client:
            fetched.append(("tools", str(await client.list_tools())))
            begin = {"task_tier": Tier.EXPERT, "seed": SEED}
            answer = await client.call_tool("begin_episode", begin)
            while not answer.data["done"]:
                fetched.append(("a step", str(answer)))
                fetched.append(("observe", str(await client.call_tool("observe", {}))))
                answer = await client.call_tool(ActionName.WAIT, {})
            fetched.append(("the end", str(answer)))
            fetched.append(("observe", str(await client.call_tool("observe", {}))))
    (record,) = records(tmp_path)
    assert record.finished and len(fetched) == 1 + 2 * len(record.steps)
    assert leaks_of(fetched, record) == []


def test_the_search_would_find_a_leak(judged, tmp_path):
    name = judged.post("/reset", json={"task_tier": Tier.HARD}).json()["session_id"]
    headers = {"authorization": f"Bearer {TOKEN}"}
    fetched = [("state", tell(judged.get(f"/state?session_id={name}", headers=headers)))]
    judged.delete(f"/sessions/{name}")
    (record,) = records(tmp_path)
    hits = {secret for _, secret in leaks_of(fetched, record)}
    assert {str(record.seed), str(record.episode_key), "episode_key", record.faults[0].kind} <= hits
