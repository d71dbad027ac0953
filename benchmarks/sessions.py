"""Many sessions of the simulator on one server: how long a step takes while others think."""

import asyncio
import json
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.figures import MIB, Figure
from server.server_process import server_process
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, ActionName

SESSIONS, STEPS = 64, 20
THINK_S = 0.5
P99_BOUND_MS = 50
WAIT_BODY = {"action": ActionName.WAIT}


async def session_figures(runs: int) -> list[Figure]:
    """Steps over WebSocket: `SESSIONS` at once that think, and one alone that does not."""
    medians, p99s, rates, memory = [], [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as log:
            settings = {"backend": SIMULATOR, "max_sessions": str(SESSIONS)}
            async with server_process(Path(name), log, **settings) as (url, server):
                (alone_s,) = await play_at_once(url, sessions=1, think_s=0.0)
                rates.append(len(alone_s) / sum(alone_s))
                waited = sorted(chain.from_iterable(await play_at_once(url, SESSIONS, THINK_S)))
                medians.append(1000.0 * waited[len(waited) // 2])
                p99s.append(1000.0 * waited[int(0.99 * len(waited))])
                memory.append(psutil.Process(server.pid).memory_info().rss / MIB)
    crowd = f"{SESSIONS} sessions that think {THINK_S:g} s"
    return [
        Figure("one session over WebSocket", "steps/s", "", rates),
        Figure(f"a step over WebSocket, {crowd}, p50", "ms", "", medians),
        Figure(f"a step over WebSocket, {crowd}, p99", "ms", f"<= {P99_BOUND_MS}", p99s),
        Figure(f"memory of the server, {SESSIONS} sessions", "MiB", "", memory),
    ]


async def play_at_once(url: str, sessions: int, think_s: float) -> list[list[float]]:
    """What the steps of each session took as its player waited; nobody steps while others reset."""
    all_begun = asyncio.Barrier(sessions)

    async def played(seed: int) -> list[float]:
        waited = list[float]()
        async with connect(url.replace("http", "ws", 1) + "/ws", proxy=None) as socket:
            tier = DEFAULT_TIERS[seed % len(DEFAULT_TIERS)]
            await ask(socket, "reset", {"seed": seed, "task_tier": tier})
            await all_begun.wait()
            await asyncio.sleep(think_s * seed / sessions)
            for _ in range(STEPS):
                began = time.perf_counter()
                await ask(socket, "step", WAIT_BODY)
                waited.append(time.perf_counter() - began)
                await asyncio.sleep(think_s)
        return waited

    return await asyncio.gather(*(played(seed) for seed in range(sessions)))


async def ask(socket: ClientConnection, kind: str, data: dict[str, Any]) -> None:
    """One call over a session's socket. Raises RuntimeError with the server's message."""
    await socket.send(json.dumps({"type": kind, "data": data}))
    answer = json.loads(await socket.recv())
    if answer["type"] == "error":
        raise RuntimeError(answer["data"]["message"])
