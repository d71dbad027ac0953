"""What the server adds to a mesh: start, memory, and the time between its door and the step."""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from benchmarks.figures import MIB, Figure, sla_met_pct
from server.server_process import server_process
from sre_autopilot import grading
from sre_autopilot.world.vocabulary import ActionName, Tier

CALL_TIMEOUT_S = 30.0


async def server_figures(runs: int, sessions: int) -> list[Figure]:
    """Healthy episodes over HTTP, first in one session, then in `sessions` at once."""
    starts, memory, alone, together = [], [], list[float](), list[float]()
    side_by_side: list[grading.EpisodeRecord] = []
    for run in range(runs):
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as log:
            folder, began = Path(name), time.perf_counter()
            async with server_process(folder, log) as (url, server):
                starts.append(time.perf_counter() - began)
                alone += await _overhead_ms(url, folder, f"alone-{run}")
                memory.append(psutil.Process(server.pid).memory_info().rss / MIB)
                names = [f"together-{run}-{number}" for number in range(sessions)]
                for overhead in await asyncio.gather(
                    *(_overhead_ms(url, folder, name) for name in names)
                ):
                    together += overhead
                side_by_side += [_record(folder, name) for name in names]
    return [
        Figure("server ready, from nothing", "s", "<= 6", starts),
        Figure("memory of the server beside its meshes", "MiB", "<= 300", memory),
        Figure("HTTP overhead of a step", "ms", "<= 20", alone),
        Figure(f"the same, {sessions} sessions at once", "ms", "", together),
        Figure(
            f"control SLA met, {sessions} sessions at once",
            "% of windows",
            ">= 99",
            sla_met_pct(side_by_side),
        ),
    ]


async def _overhead_ms(url: str, folder: Path, session_id: str) -> list[float]:
    """Of each step: what a client waited, less what the step itself took as recorded."""
    waited = []
    ids = {"session_id": session_id, "episode_id": session_id}
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=CALL_TIMEOUT_S) as client:
        begun = await client.post("/reset", json={**ids, "task_tier": Tier.CONTROL, "seed": 0})
        begun.raise_for_status()
        done = False
        while not done:
            began = time.perf_counter()
            answer = await client.post(
                "/step", json={"session_id": session_id, "action": ActionName.WAIT}
            )
            done = answer.raise_for_status().json()["done"]
            waited.append(time.perf_counter() - began)
        await client.delete(f"/sessions/{session_id}")
    steps = _record(folder, session_id).steps[1:]
    return [
        1000 * (wait - (step.duration_s or 0.0)) for wait, step in zip(waited, steps, strict=True)
    ]


def _record(folder: Path, episode_id: str) -> grading.EpisodeRecord:
    lines = (folder / f"{episode_id}.jsonl").read_text(encoding="ascii").splitlines()
    return next(grading.read_episodes(lines))
