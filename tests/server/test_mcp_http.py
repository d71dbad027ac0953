"""A standard client of MCP connects, lists the tools and plays, in a session of its own."""

from typing import Any

import httpx
import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from orchestrator.actions import ACTIONS
from server.connection_limits import MAX_MESSAGE_BYTES
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName, Tier
from tests.server.doors import sessions_in_use, until_async

pytestmark = pytest.mark.anyio
BEGIN = {"task_tier": Tier.CONTROL, "seed": 7}


async def call(client: Client[Any], tool: str, **arguments: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.call_tool(tool, arguments)).data
    return answer


async def test_a_client_lists_the_tools_and_plays_an_episode(url: str) -> None:
    async with Client(f"{url}/mcp") as client:
        tools = {tool.name for tool in await client.list_tools()}
        assert tools == {"begin_episode", "observe", *map(str, ACTIONS)}
        answer = await call(client, "begin_episode", **BEGIN)
        assert (await call(client, "observe")) == answer
        for _ in range(MAX_STEPS):
            assert not answer["done"]
            answer = await call(client, ActionName.WAIT)
    assert answer["done"] and answer["reward"] > 0.9


async def test_two_clients_play_apart_and_leave_no_session(url: str, caller: httpx.Client) -> None:
    async with Client(f"{url}/mcp") as one, Client(f"{url}/mcp") as other:
        await call(one, "begin_episode", **BEGIN)
        await call(other, "begin_episode", **BEGIN)
        await call(one, ActionName.RESTART, service_id=Service.USER_DB)
        steps = [(await call(each, "observe"))["observation"]["step"] for each in (one, other)]
        assert steps == [1, 0]
        assert sessions_in_use(caller) == 2
    await until_async(lambda: sessions_in_use(caller) == 0)


async def test_the_client_of_the_mcp_package_plays_too(url: str) -> None:
    async with (
        streamable_http_client(f"{url}/mcp") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        result = await session.call_tool("begin_episode", BEGIN)
    assert not result.isError and result.structuredContent is not None
    assert result.structuredContent["observation"]["step"] == 0


async def test_a_tool_before_the_first_episode_says_what_to_do(url: str) -> None:
    async with Client(f"{url}/mcp") as client:
        with pytest.raises(ToolError, match="no episode is running"):
            await call(client, ActionName.WAIT)
        with pytest.raises(ToolError, match="unknown task_tier 'mars'; valid"):
            await call(client, "begin_episode", task_tier="mars")


def test_a_call_of_no_client_goes_to_the_endpoint_of_openenv(caller: httpx.Client) -> None:
    plain = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    stream = {"accept": "application/json, text/event-stream"}
    assert "result" in caller.post("/mcp", json=plain).json()
    large = caller.post("/mcp", content=b" " * (MAX_MESSAGE_BYTES + 1), headers=stream)
    assert large.status_code == 413
    assert caller.delete("/mcp").status_code == 405
