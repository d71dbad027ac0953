"""The local model plays by the prompt, parser and lines of inference.py; without one, it says so.

The modules that load and run a model are stood in for: neither they nor weights are needed here.
"""

import os
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from time import monotonic

import httpx
import pytest
from rich.console import Console

import inference
from baseline import Endpoint
from sre_autopilot.llm.prompt import ANSWER_TOKENS, SYSTEM
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier
from tests.architecture.source import ROOT
from tests.inference.lines import parse
from tests.inference.scripted_environment import ScriptedEnvironment
from tests.inference.scripted_model import serving

ANSWER = 'Let me see. {"action": "circuit_break", "service_id": "payment_gateway"}'
TORCH = """
class cuda:
    is_available = staticmethod(lambda: False)
"""
TRANSFORMERS = f"""
class Asked(dict):
    def to(self, device):
        assert device == "cpu"
        return self

class AutoTokenizer:
    @classmethod
    def from_pretrained(cls, name):
        if name != "small":
            raise OSError(f"{{name}} is no folder\\nand no model")
        return cls()

    def apply_chat_template(self, messages, *, add_generation_prompt, return_dict, return_tensors):
        assert [message["role"] for message in messages] == ["system", "user"]
        assert add_generation_prompt and return_dict and return_tensors == "pt"
        return Asked(input_ids=[[7] * 50])

    def decode(self, tokens, *, skip_special_tokens):
        return "".join(map(chr, tokens))

class AutoModelForCausalLM:
    @classmethod
    def from_pretrained(cls, name):
        return cls()

    def to(self, device):
        return self

    def eval(self):
        return self

    def generate(self, *, input_ids, max_new_tokens, max_time, do_sample):
        assert len({ANSWER!r}) < max_new_tokens and max_time > 1 and not do_sample
        return [[*input_ids[0], *map(ord, {ANSWER!r})]]
"""


def run(folder: Path, *arguments: str, torch: str = TORCH) -> subprocess.CompletedProcess[str]:
    (folder / "torch.py").write_text(torch)
    (folder / "transformers.py").write_text(TRANSFORMERS)
    lines = str(folder / "lines")
    command = [sys.executable, "baseline.py", "--transcripts", lines, *arguments]
    environ = {**os.environ, "PYTHONPATH": str(folder), "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )


def test_a_model_on_this_machine_plays_the_tiers(tmp_path: Path) -> None:
    with serving(ScriptedEnvironment()) as environment:
        done = run(
            *(tmp_path, "--model", "small", "--base-url", environment.url),
            *("--tiers", f"{Tier.EASY},{Tier.HARD}", "--seed", "4"),
        )
    assert done.returncode == 0, done.stderr
    played = parse(done.stdout)
    assert [(p.tier, p.player) for p in played] == [(Tier.EASY, "small"), (Tier.HARD, "small")]
    for tier in played:
        assert tier.actions == ["circuit_break(payment_gateway)"] * MAX_STEPS
        assert set(tier.errors) == {"null"}
    assert len(environment.closed) == len(played)
    assert len(list((tmp_path / "lines").iterdir())) == len(played)


@pytest.mark.parametrize(
    ("model", "torch", "message"),
    [
        ("small", "raise ImportError(\"No module named 'torch'\")", "pip install .[local-model]"),
        ("large", TORCH, "large cannot be loaded (--model takes another): large is no folder and"),
    ],
)
def test_without_a_model_it_says_what_to_do(
    tmp_path: Path, model: str, torch: str, message: str
) -> None:
    done = run(tmp_path, "--model", model, torch=torch)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_tier_lists_the_known_ones(tmp_path: Path) -> None:
    done = run(tmp_path, "--model", "small", "--tiers", "impossible")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(tier in done.stderr for tier in Tier)


def test_a_server_that_is_not_there_is_a_failure_with_its_lines(tmp_path: Path) -> None:
    with serving(ScriptedEnvironment()) as gone:
        pass
    done = run(tmp_path, "--model", "small", "--base-url", gone.url, "--tiers", Tier.EASY)
    assert done.returncode == 1
    (played,) = parse(done.stdout)
    assert (played.success, played.actions) == (False, [])


@pytest.mark.anyio
async def test_a_local_model_is_asked_and_repaired_as_a_remote_one(capsys, tmp_path: Path) -> None:
    asked: list[list[dict[str, str]]] = []

    def generate(messages: list[dict[str, str]], max_tokens: int) -> str:
        assert max_tokens == ANSWER_TOKENS
        asked.append(messages)
        return "Hm." if len(asked) == 1 else ANSWER

    with ExitStack() as servers:
        environment = servers.enter_context(serving(ScriptedEnvironment()))
        endpoint = servers.enter_context(Endpoint(generate))
        servers.callback(endpoint.shutdown)
        http = httpx.AsyncClient(base_url=environment.url, timeout=None, trust_env=False)
        run = inference.Run(
            *(endpoint.player("small"), http, 4, monotonic() + 600, tmp_path),
            Console(file=StringIO()),
        )
        await run.play([Tier.EASY])
    (played,) = parse(capsys.readouterr().out)
    assert set(played.errors) == {"null"}
    assert len(asked) == MAX_STEPS + 1
    assert all(messages[0]["content"] == SYSTEM for messages in asked)
    assert "no JSON object" in asked[1][1]["content"]


def test_the_extra_that_it_names_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert {part.split(">")[0] for part in extras["local-model"]} == {"torch", "transformers"}
