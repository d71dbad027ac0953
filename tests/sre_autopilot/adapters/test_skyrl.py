"""SkyRL: the page's file registers the environment and writes rows; one is played to its end."""

import json

import pytest

skyrl_gym = pytest.importorskip("skyrl_gym", reason="make test-trainers has SkyRL")

from sre_autopilot.adapters import skyrl  # noqa: E402 - what it imports is there now
from tests.sre_autopilot.adapters import engineer, page  # noqa: E402


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Of the file that the page has one write."""
    monkeypatch.chdir(tmp_path)
    page.run_saved("register_skyrl.py", tmp_path)
    yield [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    skyrl_gym.envs.registration.deregister(skyrl.NAME)


def test_a_row_is_played_to_its_end_and_its_metrics_averaged(rows):
    (row,) = (row for row in rows if row["task"] == engineer.KEY)
    env = skyrl_gym.make(row["env_class"], env_config={}, extras=row)
    messages, _ = env.init(row["prompt"])
    assert [message["role"] for message in messages] == ["system", "user"]
    words, done, rewards = list(engineer.FIRST_ANSWERS), False, []
    window = messages[-1]["content"]
    while not done:
        output = env.step(words.pop(0) if words else engineer.answer(window))
        done = output["done"]
        rewards.append(output["reward"])
        if not done:
            window = output["observations"][0]["content"]
    metrics = env.get_metrics()
    env.close()
    engineer.check(metrics)
    assert sum(rewards) == rewards[-1] == metrics["score"]
    assert env.aggregate_metrics([metrics, metrics])["score"] == pytest.approx(rewards[-1])
