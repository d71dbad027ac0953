"""Episodes as conversations, in this process and on a server: no answer of a model ends one."""

import asyncio

import pytest

from sre_autopilot.adapters.connection import Served
from sre_autopilot.adapters.rollout import (
    INSTRUCTIONS,
    TOOL_INSTRUCTIONS,
    BlockingRollout,
    EpisodeOver,
    Rollout,
    first_messages,
)
from sre_autopilot.adapters.tasks import Task
from sre_autopilot.grading.score import LOWEST
from sre_autopilot.llm.prompt import tokens_of
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, MAX_STEPS, ActionName
from tests.server.doors import Workshop, make_app, on_a_port
from tests.sre_autopilot.adapters import engineer

TASK = Task.parse(engineer.KEY)
MOST_TOKENS = 20_000


@pytest.fixture(scope="module")
def workshop():
    return Workshop()


@pytest.fixture(scope="module")
def url(workshop):
    with on_a_port(make_app(workshop, max_sessions=2)) as url:
        yield url


def play(rollout: BlockingRollout) -> list[str]:
    """The windows of an episode that the scripted engineer plays."""
    texts = [rollout.begin(TASK)]
    for words in engineer.FIRST_ANSWERS:
        texts.append(rollout.answer(words))
    while not rollout.done:
        texts.append(rollout.answer(engineer.answer(texts[-1])))
    return texts


@pytest.fixture
def rollout():
    rollout = BlockingRollout()
    yield rollout
    rollout.close()


def test_an_episode_is_played_to_its_end_and_its_score_explained(rollout):
    texts = play(rollout)
    assert texts[-1] == f"The episode is over, the score is {rollout.score:.3f}."
    assert rollout.metrics["steps"] == len(texts) - 1
    engineer.check(rollout.metrics)


def test_an_unreadable_answer_costs_a_step_and_is_told_why(rollout):
    rollout.begin(TASK)
    for step, (words, why) in enumerate(
        [
            ("", "the answer is empty"),
            (engineer.NONSENSE, "no JSON object"),
            (engineer.MISNAMED, Service.USER_DB),
            ('{"action": ["a"]}', ActionName.ROLLBACK),
        ],
        start=1,
    ):
        text = rollout.answer(words)
        assert why in text and f"step {step}/{MAX_STEPS}" in text
    assert rollout.metrics["unreadable"] == 4 and not rollout.done


@pytest.mark.parametrize("arguments", [None, {}, {"service_id": 3}, {"service": "x"}, [1], "x"])
def test_a_tool_call_with_bad_arguments_costs_a_step(rollout, arguments):
    rollout.begin(TASK)
    assert f"read as {ActionName.WAIT}" in rollout.call(ActionName.RESTART, arguments)
    assert rollout.metrics["unreadable"] == rollout.metrics["steps"] == 1


def test_wait_may_name_a_service_and_tools_play_what_text_plays(rollout):
    rollout.begin(TASK)
    assert "read as" not in rollout.call(ActionName.WAIT, {"service_id": Service.USER_DB})
    rollout.call(ActionName.RESTART, {"service_id": Service.USER_DB})
    assert rollout.metrics["restarts"] == 1 and rollout.metrics["unreadable"] == 0


def test_no_step_is_taken_before_the_first_reset_or_after_the_end(rollout):
    with pytest.raises(EpisodeOver):
        rollout.answer(engineer.WAIT)
    play(rollout)
    with pytest.raises(EpisodeOver):
        rollout.call(ActionName.WAIT)


def test_an_episode_that_is_left_scores_the_least_and_the_next_one_starts_afresh(rollout):
    rollout.begin(TASK)
    rollout.answer(engineer.NONSENSE)
    assert rollout.score == rollout.metrics["score"] == LOWEST
    rollout.begin(TASK)
    assert rollout.metrics["unreadable"] == rollout.metrics["steps"] == 0


def test_the_same_task_shows_the_same_windows(rollout):
    assert play(rollout) == play(rollout)


def test_a_whole_episode_fits_the_budget_of_tokens_by_an_upper_estimate(rollout):
    texts = [INSTRUCTIONS, rollout.begin(TASK)]
    while not rollout.done:
        texts += [engineer.WAIT, rollout.answer(engineer.WAIT)]
    assert sum(map(tokens_of, texts)) < MOST_TOKENS


def test_the_goal_and_every_action_stand_in_the_first_message():
    first, window = first_messages(TASK)
    assert first == {"role": "system", "content": TOOL_INSTRUCTIONS}
    assert window["role"] == "user" and "step 0/" in window["content"]
    for text in (INSTRUCTIONS, TOOL_INSTRUCTIONS):
        assert "Mend the cause" in text and "Score:" in text
        assert all(f"{action} (cost {ACTION_COSTS[action]})" in text for action in ActionName)


def test_a_server_plays_the_same_episode_and_ends_the_session(rollout, url, workshop):
    served = BlockingRollout(url)
    assert play(served) == play(rollout)
    here, there = rollout.metrics, served.metrics
    assert there == pytest.approx(here, abs=1e-4)
    assert len(workshop.running) == 1
    served.close()
    served.close()
    assert not workshop.running


def test_many_rollouts_wait_for_a_free_session_side_by_side(url, workshop, monkeypatch):
    monkeypatch.setattr("sre_autopilot.adapters.connection.pause_s", lambda _headers: 0.02)

    async def one(seed: int) -> dict[str, float]:
        rollout = Rollout(url)
        await rollout.begin(TASK._replace(seed=seed))
        while not rollout.done:
            await rollout.answer(engineer.WAIT)
        await rollout.close()
        return rollout.metrics

    async def all_of_them() -> list[dict[str, float]]:
        return await asyncio.gather(*map(one, range(3)))

    assert {metrics["unreadable"] for metrics in asyncio.run(all_of_them())} == {0.0}
    assert not workshop.running


def test_a_server_that_is_not_there_loses_the_episode_with_its_address():
    lost = BlockingRollout("http://127.0.0.1:9")
    with pytest.raises(ConnectionError, match=r"127.0.0.1:9/reset: ConnectError"):
        lost.begin(TASK)
    lost.close()


def test_a_refusal_of_the_server_is_named(url):
    async def step_before_reset() -> None:
        connection = Served(url)
        try:
            await connection.terms()
        finally:
            await connection.close()

    with pytest.raises(ConnectionError, match="404"):
        asyncio.run(step_before_reset())
