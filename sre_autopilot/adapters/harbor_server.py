"""The second service of a Harbor task: one episode on a judged server, as text over HTTP.

    python -m sre_autopilot.adapters.harbor_server hard-17 --port 8000

The judged server listens on the loopback interface of this program's container, and its token is
drawn here: an agent in another container reaches the routes below and nothing else. It can neither
begin another episode nor ask for what is hidden.
"""

import argparse
import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from orchestrator.settings import Mode
from server.server_process import server_process
from sre_autopilot.adapters.rollout import INSTRUCTIONS, Rollout
from sre_autopilot.adapters.tasks import Task

LONGEST_ANSWER_BYTES = 64 * 1024
LEASE_S = 7 * 24 * 3600.0
"""Longer than any task: its containers end with it, however long its agent thinks."""
LOST, OVER = 503, 409
"""Statuses of an answer to an episode that is lost, and to one that is over."""
TERMINATED = 128 + signal.SIGTERM


class TextEpisode:
    """One episode that has begun; requests at the same time wait for one another."""

    def __init__(self, rollout: Rollout, window: str) -> None:
        self._rollout, self._window = rollout, window
        self._turn = asyncio.Lock()

    async def look(self, _request: Request) -> PlainTextResponse:
        """The goal and the last window."""
        return PlainTextResponse(f"{INSTRUCTIONS}\n\n{self._window}\n")

    async def answer(self, request: Request) -> PlainTextResponse:
        """Plays the action in the body, whatever else stands there; the window after it."""
        text = (await request.body()).decode("utf-8", "replace")
        async with self._turn:
            if self._rollout.done:
                return PlainTextResponse(f"{self._window}\n", OVER)
            try:
                self._window = await self._rollout.answer(text)
            except ConnectionError as error:
                return PlainTextResponse(f"the episode is lost: {error}\n", LOST)
            return PlainTextResponse(f"{self._window}\n")

    async def score(self, _request: Request) -> PlainTextResponse:
        """The score as a number, 0.01 until the episode is over."""
        return PlainTextResponse(f"{self._rollout.score:.4f}\n")

    async def result(self, _request: Request) -> JSONResponse:
        """Score, terms and what was done, as every adapter names them."""
        return JSONResponse(self._rollout.metrics)


def make_app(rollout: Rollout, window: str) -> Starlette:
    """The routes of an episode that has begun; `window` is the text of its first window."""
    episode = TextEpisode(rollout, window)
    return Starlette(
        routes=[
            Route("/", episode.look, methods=["GET"]),
            Route("/", episode.answer, methods=["POST"]),
            Route("/score", episode.score),
            Route("/result", episode.result),
        ],
        middleware=[Middleware(RequestBodyLimitMiddleware, max_body_size=LONGEST_ANSWER_BYTES)],
    )


async def serve(task: Task, host: str, port: int) -> None:
    """Plays `task` until the process is ended. SRE_* variables choose the judged server's backend
    and the secret that turns seeds into episodes.

    Raises RuntimeError, ConnectionError where the judged server does not start or begin.
    """
    settings = {
        "mode": Mode.JUDGE,
        "state_token": secrets.token_urlsafe(),
        "max_sessions": "1",
        "session_lease_s": str(LEASE_S),
    }
    with tempfile.TemporaryDirectory(prefix="records-") as folder:
        async with server_process(Path(folder), sys.stderr.buffer, **settings) as (url, _process):
            rollout = Rollout(url)
            try:
                app = make_app(rollout, await rollout.begin(task))
                config = uvicorn.Config(app, host=host, port=port, log_level="warning")
                await uvicorn.Server(config).serve()
            finally:
                await rollout.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Plays one episode as text over HTTP.")
    parser.add_argument("task", help="key of the episode, such as hard-17")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args(arguments)
    try:
        task = Task.parse(options.task)
    except ValueError as error:
        parser.error(str(error))
    # As an exit, so that the judged server and its records are gone before this process is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    asyncio.run(serve(task, options.host, options.port))


if __name__ == "__main__":
    main()
