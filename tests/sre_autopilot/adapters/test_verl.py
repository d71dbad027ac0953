"""verl: its own code loads the tool and calls it, a new instance each time within a rollout."""

import asyncio
import json

import pytest

pytest.importorskip("verl", reason="make test-trainers has verl")

from datasets import Dataset
from verl.experimental.agent_loop.tool_agent_loop import AgentData, ToolAgentLoop
from verl.experimental.agent_loop.tool_parser import FunctionCall
from verl.tools.tool_registry import load_all_tools

from sre_autopilot.adapters import verl
from sre_autopilot.grading.score import LOWEST
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName
from tests.sre_autopilot.adapters import page


@pytest.fixture
def loop(tmp_path):
    """The agent loop without its model: what is tested is how it calls tools."""
    (tmp_path / "tools.yaml").write_text(page.block("yaml", "class_name"))
    loop = object.__new__(ToolAgentLoop)
    loop.tools = {tool.name: tool for tool in load_all_tools(str(tmp_path / "tools.yaml"), None)}
    loop.max_tool_response_length = 4000
    return loop


def rollout_of(row):
    kwargs = row["extra_info"]["tools_kwargs"]
    return AgentData(row["prompt"], [], [], None, None, {}, "request", kwargs)


async def call(loop, agent_data, **arguments):
    function = FunctionCall(name=verl.NAME, arguments=json.dumps(arguments))
    response, reward, _ = await loop._call_tool(function, agent_data.tools_kwargs, agent_data)
    return response.text, reward


def test_an_episode_lasts_over_the_calls_of_a_rollout(loop):
    (row,) = verl.rows("train", 1, ["easy"])
    assert "step 0/" in row["prompt"][-1]["content"]

    async def play():
        agent_data, rewards, text = rollout_of(row), [], ""
        await call(loop, agent_data, action="dance")
        await call(loop, agent_data, action=ActionName.RESTART, service_id=Service.USER_DB)
        while "is over" not in text:
            text, reward = await call(loop, agent_data, action=ActionName.WAIT)
            rewards.append(reward)
        assert "begin another" in (await call(loop, agent_data, action=ActionName.WAIT))[0]
        return rewards, verl.compute_score(extra_info=agent_data.extra_fields)

    rewards, score = asyncio.run(play())
    assert sum(rewards) == rewards[-1] == score["score"] > LOWEST
    assert score["steps"] <= MAX_STEPS and score["unreadable"] == score["restarts"] == 1


def test_rollouts_of_one_task_share_nothing(loop):
    (row,) = verl.rows("train", 1, ["easy"])

    async def play():
        first, second = rollout_of(row), rollout_of(row)
        texts = [(await call(loop, one, action=ActionName.WAIT))[0] for one in (first, first)]
        texts.append((await call(loop, second, action=ActionName.WAIT))[0])
        return [text.splitlines()[0] for text in texts]

    first, later, other = asyncio.run(play())
    assert first == other != later
    assert verl.compute_score(extra_info={})["score"] == LOWEST


def test_the_page_s_rows_are_a_parquet_file_that_verl_s_columns_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page.run_saved("verl_rows.py", tmp_path)
    table = Dataset.from_parquet(str(tmp_path / "train.parquet"))
    assert {"data_source", "prompt", "reward_model", "extra_info"} <= {*table.column_names}
    assert table[0]["extra_info"]["task"] == verl.rows("train", 1)[0]["extra_info"]["task"]
    assert "step 0/" in table[0]["prompt"][-1]["content"]
