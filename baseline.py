"""A language model on this machine plays the tiers over HTTP, as `inference.py` lets a remote one.

The model stands where an endpoint would, behind the OpenAI client: prompt, parser, limits and
lines are those of `inference.py`. Needs the extra packages of `pip install .[local-model]`.
"""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import httpx
import openai
import typer
from rich.console import Console

import inference
from services.mesh.vocabulary import DEFAULT_TIERS, Tier

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
EXTRA = "local-model"
ANSWER_S = 0.7 * inference.CALL_S
"""After which an answer is cut short, so that there is one before the client gives up."""
UNUSABLE = 2

Generate = Callable[[list[dict[str, str]], int], str]
"""From the messages and the most tokens of an answer to the answer."""


class NoModel(Exception):
    """There is no model to play with; the message says what to do."""


def load(name: str) -> Generate:
    """The model of a hub's name or a folder, as greedy as `temperature=0`. Raises NoModel."""
    try:
        # Not import statements: what these need is an extra, which no lock of ours has.
        torch, transformers = import_module("torch"), import_module("transformers")
    except ImportError as error:
        raise NoModel(f"{error}; install what it needs: pip install .[{EXTRA}]") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        model = transformers.AutoModelForCausalLM.from_pretrained(name).to(device).eval()
    except Exception as error:  # noqa: BLE001 - files of any origin, each reader with its own errors
        why = inference.one_line(f"{type(error).__name__}: {error}")
        raise NoModel(f"{name} cannot be loaded, name another by --model: {why}") from error

    def generate(messages: list[dict[str, str]], max_tokens: int) -> str:
        asked = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        ).to(device)
        with torch.inference_mode():
            told = model.generate(
                **asked, do_sample=False, max_new_tokens=max_tokens, max_time=ANSWER_S
            )
        answer = told[0][len(asked["input_ids"][0]) :]
        return str(tokenizer.decode(answer, skip_special_tokens=True))

    return generate


class LocalEndpoint(httpx.AsyncBaseTransport):
    """Answers chat completions in this process, one after the other, instead of a network."""

    def __init__(self, generate: Generate) -> None:
        self._generate = generate
        self._one_thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(await request.aread())
        answer = await asyncio.get_running_loop().run_in_executor(
            self._one_thread, self._generate, asked["messages"], asked["max_tokens"]
        )
        message = {"role": "assistant", "content": answer}
        return httpx.Response(200, json={"choices": [{"index": 0, "message": message}]})


def player(name: str, generate: Generate) -> inference.ModelPlayer:
    client = openai.AsyncOpenAI(
        api_key="none",
        base_url="http://model.invalid",
        max_retries=0,
        http_client=httpx.AsyncClient(transport=LocalEndpoint(generate), timeout=inference.CALL_S),
    )
    return inference.ModelPlayer(client, name, time.monotonic, asyncio.sleep)


def main(
    *,
    model: Annotated[str, typer.Option(help="a name on the hub, or a folder")] = MODEL,
    base_url: Annotated[str, typer.Option(envvar="SRE_BASE_URL")] = "http://localhost:8000",
    tiers: Annotated[str, typer.Option(help="comma-separated")] = ",".join(DEFAULT_TIERS),
    seed: Annotated[int, typer.Option(min=0, help="of every episode")] = 7,
    time_limit_s: Annotated[float, typer.Option(min=1, help="for all tiers")] = 3600,
    transcripts: Annotated[Path, typer.Option(help="folder")] = Path("runs/transcripts"),
) -> None:
    """Plays TIERS with a small model on this machine; needs the extra `local-model`."""
    console = Console(stderr=True)
