"""TRL: a step of GRPO on a tiny random model, and a whole episode through its schemas."""

from typing import Any

import pytest

trl = pytest.importorskip("trl", reason="make test-trainers has TRL")

import torch  # noqa: E402
from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # noqa: E402
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM  # noqa: E402
from transformers.utils import get_json_schema  # noqa: E402
from trl.chat_template_utils import qwen3_chat_template  # noqa: E402

from sre_autopilot.adapters.trl import SREAutopilotTools, rows  # noqa: E402
from sre_autopilot.world.topology import Service  # noqa: E402
from sre_autopilot.world.vocabulary import ActionName  # noqa: E402
from tests.sre_autopilot.adapters import engineer, page  # noqa: E402


def test_every_action_is_a_tool_with_a_schema():
    schemas = [get_json_schema(getattr(SREAutopilotTools(), action)) for action in ActionName]
    functions = {schema["function"]["name"]: schema["function"] for schema in schemas}
    assert functions.keys() == {*ActionName}
    assert functions[ActionName.WAIT]["parameters"]["properties"] == {}
    for action in {*ActionName} - {ActionName.WAIT}:
        described = functions[action]["parameters"]["properties"]["service_id"]["description"]
        assert all(service in described for service in Service)
        assert "cost" in functions[action]["description"]


def test_an_episode_is_played_by_its_tools():
    environment: Any = SREAutopilotTools()
    row = rows("train", 4, ["easy"])[3]
    window = environment.reset(**row)
    assert "step 0/" in window and row["task"] == engineer.KEY
    assert "read as" in environment.restart("the_database")
    assert "read as" in environment.scale_up(["user_db"])
    while "is over" not in window:
        action, service = engineer.decide(window)
        window = getattr(environment, action)(*([service] if service else []))
    engineer.check(environment.metrics)
    assert environment.get_reward() == environment.metrics["score"]
    with pytest.raises(ValueError, match="begin another"):
        environment.wait()


def tiny_tokenizer():
    """A byte is a token."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = qwen3_chat_template
    return fast


SMALL: dict[str, Any] = {
    "max_steps": 1,
    "per_device_train_batch_size": 2,
    "num_generations": 2,
    "max_completion_length": 8,
    "use_cpu": True,
    "bf16": False,
    "logging_steps": 1,
    "report_to": [],
}
"""What of a training a test can have; all else is as the page says."""


def tiny_model(tokenizer):
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def test_the_page_s_training_takes_a_step_of_grpo_with_a_tiny_random_model(tmp_path, monkeypatch):
    """It cannot call a tool yet: what is tested is that TRL trains through the environment."""
    tokenizer, trainers = tiny_tokenizer(), list[Any]()
    trainer_class, config_class = trl.GRPOTrainer, trl.GRPOConfig
    torch.manual_seed(0)

    def with_a_tiny_model(**arguments):
        tiny = {"model": tiny_model(tokenizer), "processing_class": tokenizer}
        trainers.append(trainer_class(**arguments | tiny))
        return trainers[-1]

    monkeypatch.setattr(trl, "GRPOTrainer", with_a_tiny_model)
    monkeypatch.setattr(trl, "GRPOConfig", lambda **fields: config_class(**fields | SMALL))
    monkeypatch.chdir(tmp_path)
    metrics = page.run_saved("train_trl.py", tmp_path)["metrics"]
    (trainer,) = trainers
    (log,) = [log for log in trainer.state.log_history if "rewards/score/mean" in log]
    assert log["reward"] == pytest.approx(log["rewards/SREAutopilotTools/mean"])
    assert {f"rewards/{name}/mean" for name in SREAutopilotTools().metrics} <= log.keys()
    assert len(metrics) >= len(SREAutopilotTools().metrics) and trainer.state.global_step == 1
