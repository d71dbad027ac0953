"""Inspect AI: its own `eval` plays the task with a scripted model."""

import pytest

inspect_ai = pytest.importorskip("inspect_ai", reason="make test-trainers has Inspect AI")

from inspect_ai.model import ModelOutput, ModelUsage, get_model  # noqa: E402

from sre_autopilot.adapters.inspect_ai import sre_autopilot  # noqa: E402
from sre_autopilot.world.vocabulary import Tier  # noqa: E402
from tests.sre_autopilot.adapters import engineer, page  # noqa: E402


def reply(messages, *_):
    """The scripted engineer as a model of Inspect's."""
    turn = sum(message.role == "assistant" for message in messages)
    scripted = engineer.FIRST_ANSWERS[turn : turn + 1]
    text = scripted[0] if scripted else engineer.answer(messages[-1].text)
    output = ModelOutput.from_content("mockllm/model", text)
    output.usage = ModelUsage()  # else it is counted with a tokenizer that must be downloaded
    return output


def test_inspect_plays_and_scores_a_sample_of_each_tier(tmp_path):
    model = get_model("mockllm/model", custom_outputs=reply)
    task = sre_autopilot(split="train", seeds=4, tiers="easy")
    (log,) = inspect_ai.eval(
        task, model=model, sample_id=[engineer.KEY], log_dir=str(tmp_path), display="none"
    )
    assert log.status == "success", log.error
    (sample,) = log.samples
    assert sample.id == engineer.KEY and sample.metadata["split"] == "train"
    metrics = sample.scores["episode_score"].value
    engineer.check(metrics)
    assert sample.messages[0].role == "system" and "step 0/" in sample.messages[1].text
    assert {score.name for score in log.results.scores} == metrics.keys()


def test_the_page_s_evaluation_scores_a_sample_with_a_scripted_model(tmp_path, monkeypatch):
    logs, evaluate = [], inspect_ai.eval

    def with_a_scripted_model(task, model):
        """The page's call; the model and the number of samples are what a test can have."""
        assert model.startswith("openai/")
        scripted = get_model("mockllm/model", custom_outputs=reply)
        options = {"log_dir": str(tmp_path), "display": "none", "limit": 2}
        logs.extend(evaluate(task, model=scripted, **options))

    monkeypatch.setattr(inspect_ai, "eval", with_a_scripted_model)
    page.run_saved("evaluate_inspect.py", tmp_path)
    (log,) = logs
    assert log.status == "success", log.error
    tiers = [sample.metadata["tier"] for sample in log.samples]
    assert sorted(tiers) == sorted([Tier.MEDIUM, Tier.HARD])
    assert {sample.metadata["split"] for sample in log.samples} == {"test"}
    for sample in log.samples:
        engineer.check(sample.scores["episode_score"].value)
