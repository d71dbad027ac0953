"""A language model on this machine plays the tiers over HTTP, as `inference.py` lets a remote one.

The model answers on a port of loopback as any OpenAI-compatible endpoint would: prompt, parser,
limits and lines are those of `inference.py`. Needs the extra packages of `.[local-model]`.
"""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx
import typer
from rich.console import Console

import inference
from sre_autopilot.llm.limits import CALL_S
from sre_autopilot.llm.prompt import one_line
from sre_autopilot.loopback import make_client
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, Tier

if TYPE_CHECKING:
    from sre_autopilot.llm.player import ModelPlayer

MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
ANSWER_S = 0.7 * CALL_S  # then an answer is cut short: its asker would give up soon

Generate = Callable[[list[dict[str, str]], int], str]
"""From messages, and the most tokens that an answer may have, to the answer."""


class NoModel(Exception):
    """There is no model to play with; the message says what to do."""


def load(name: str) -> Generate:
    """The model of a hub's name or of a folder, always taking the likeliest. Raises NoModel."""
    try:
        # No import statements: no lock of ours has what these two need.
        torch, transformers = import_module("torch"), import_module("transformers")
    except ImportError as error:
        raise NoModel(f"{error}; to install it: pip install .[local-model]") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
        model = transformers.AutoModelForCausalLM.from_pretrained(name).to(device).eval()
    except Exception as error:  # files of any origin, and each format has its own errors
        why = one_line(error)
        raise NoModel(f"{name} cannot be loaded (--model takes another): {why}") from error

    def generate(messages: list[dict[str, str]], max_tokens: int) -> str:
        asked = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        ).to(device)
        limits = {"max_new_tokens": max_tokens, "max_time": ANSWER_S, "do_sample": False}
        tokens = model.generate(**asked, **limits)[0]
        return str(tokenizer.decode(tokens[len(asked["input_ids"][0]) :], skip_special_tokens=True))

    return generate


class Endpoint(HTTPServer):
    """Chat completions on a free port, one call after the other."""

    def __init__(self, generate: Generate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.generate = generate
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def player(self, name: str) -> "ModelPlayer":
        from sre_autopilot.llm.endpoint import connect  # noqa: PLC0415 - only a loaded model needs
        from sre_autopilot.llm.player import ModelPlayer  # noqa: PLC0415 - it: a second of CPU

        url = f"http://127.0.0.1:{self.server_port}"
        client = connect(url, "none", CALL_S)
        return ModelPlayer(client, name, time.monotonic, asyncio.sleep)


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = self.server.generate(asked["messages"], asked["max_tokens"])
        self.send_response(httpx.codes.OK)
        self.end_headers()
        self.wfile.write(json.dumps({"choices": [{"message": {"content": answer}}]}).encode())

    def log_message(self, *_: object) -> None:
        """The run itself prints what is played."""


def main(
    *,
    model: Annotated[str, typer.Option(help="a name on the hub, or a folder")] = MODEL,
    base_url: Annotated[str, typer.Option(envvar="SRE_BASE_URL")] = "http://localhost:8000",
    tiers: Annotated[str, typer.Option(help="comma-separated")] = ",".join(DEFAULT_TIERS),
    seed: Annotated[int, typer.Option(min=0, help="of every episode")] = 7,
    time_limit_s: Annotated[float, typer.Option(min=1, help="for all tiers")] = 3600,
    transcripts: Annotated[Path, typer.Option(help="folder")] = Path("runs/transcripts"),
) -> None:
    """Plays TIERS with a small language model on this machine."""
    console = Console(stderr=True)
    try:
        chosen, http = [*map(Tier, tiers.split(","))], make_client(base_url)
        generate = load(model)
    except ValueError as error:
        raise typer.BadParameter(f"{error} (tiers: {', '.join(Tier)})") from error
    except NoModel as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from error
    over = time.monotonic() + time_limit_s
    player = Endpoint(generate).player(model)
    run = inference.Run(player, http, seed, over, transcripts, console)
    try:
        results = asyncio.run(run.play(chosen))
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None
    raise typer.Exit(int(any(result.failure for result in results)))


if __name__ == "__main__":
    typer.run(main)
