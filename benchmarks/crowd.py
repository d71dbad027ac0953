"""As many sessions as a trainer of language models has, on one simulator server of several workers.

The trainer is a process of its own, which is killed at the end: how soon are its sessions free?

    python -m benchmarks.crowd URL SESSIONS THINK_S STEPS
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.figures import MIB, Figure
from benchmarks.sessions import WAIT_BODY, ask
from server.connection_limits import raise_open_files
from server.server_process import child_process, server_process
from sre_autopilot.cores import usable_cores
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import DEFAULT_TIERS

P99_BOUND_MS, FREED_BOUND_S = 100, 30
FREED_TIMEOUT_S = 120.0
POLL_S = 0.05


@dataclass(frozen=True)
class Crowd:
    """How many sessions, how long each player thinks before a step, and how many steps it plays.

    Players begin spread over one think_s: a trainer's model answers one after the other too.
    """

    sessions: int = 1024
    think_s: float = 16.0
    steps: int = 6


async def crowd_figures(crowd: Crowd, runs: int) -> list[Figure]:
    """Waits of resets and steps, CPU and memory of the server, and how soon sessions are freed."""
    workers = max(2, round(usable_cores()))
    rows: list[dict[str, float]] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as log:
            settings = {
                "backend": SIMULATOR,
                "max_sessions": str(crowd.sessions),
                "resets_per_minute": str(10**6),
            }
            options = ("--workers", str(workers))
            async with server_process(Path(name), log, options, **settings) as (url, server):
                rows.append(await _measured(crowd, url, server.pid, Path(name)))
    title = f"{crowd.sessions} sessions that think {crowd.think_s:g} s, {workers} workers"
    names = {
        "step_p50_ms": (f"a step, {title}, p50", "ms", ""),
        "step_p99_ms": ("the same, p99", "ms", f"<= {P99_BOUND_MS}"),
        "reset_p99_ms": ("a reset, the same, p99", "ms", ""),
        "rate": ("operations carried", "1/s", ""),
        "cpu_ms": ("CPU of the server, an operation", "ms", ""),
        "memory_mib": ("memory of all its processes (PSS)", "MiB", ""),
        "errors": ("calls that failed", "", "0"),
        "freed_s": ("all sessions freed after kill -9 of the trainer", "s", f"<= {FREED_BOUND_S}"),
    }
    return [Figure(*texts, [row[key] for row in rows]) for key, texts in names.items()]


async def _measured(crowd: Crowd, url: str, pid: int, folder: Path) -> dict[str, float]:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    before_s = _cpu_s(family)
    out = folder / "trainer.json"
    numbers = (str(crowd.sessions), str(crowd.think_s), str(crowd.steps))
    with out.open("wb") as stdout, tempfile.TemporaryFile() as log:
        command = ("-m", "benchmarks.crowd", url, *numbers)
        async with child_process(command, log, stdout=stdout) as trainer:
            while not (text := out.read_text()).endswith("\n"):
                if trainer.returncode is not None:
                    log.seek(0)
                    raise RuntimeError(f"the trainer failed: {log.read().decode()[-500:]}")
                await asyncio.sleep(POLL_S)
            row: dict[str, float] = json.loads(text)
            row["cpu_ms"] = 1000.0 * (_cpu_s(family) - before_s) / row.pop("operations")
            row["memory_mib"] = sum(each.memory_full_info().pss for each in family) / MIB
            trainer.kill()
            row["freed_s"] = await _until_freed(url)
    return row


def _cpu_s(family: Iterable[psutil.Process]) -> float:
    times = [each.cpu_times() for each in family]
    return float(sum(each.user + each.system for each in times))


async def _until_freed(url: str) -> float:
    """How long that takes, s. Raises TimeoutError."""
    began = time.monotonic()
    async with (
        asyncio.timeout(FREED_TIMEOUT_S),
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=FREED_TIMEOUT_S) as client,
    ):
        while (await client.get("/ready")).json()["sessions"]:
            await asyncio.sleep(POLL_S)
    return time.monotonic() - began


async def play(url: str, crowd: Crowd) -> tuple[dict[str, float], list[ClientConnection]]:
    """What the trainer waited for its calls, and its sessions, which are still open."""
    resets, steps, errors = list[float](), list[float](), list[str]()
    all_begun = asyncio.Barrier(crowd.sessions)

    async def timed(waits: list[float], call: Awaitable[None]) -> None:
        began = time.perf_counter()
        try:
            await call
        except RuntimeError as error:
            errors.append(str(error))
        waits.append(time.perf_counter() - began)

    async def session(number: int) -> ClientConnection:
        delay_s = crowd.think_s * number / crowd.sessions
        await asyncio.sleep(delay_s)
        address = url.replace("http", "ws", 1) + "/ws"
        socket = await connect(address, proxy=None, compression=None, open_timeout=None)
        tier = DEFAULT_TIERS[number % len(DEFAULT_TIERS)]
        await timed(resets, ask(socket, "reset", {"seed": number, "task_tier": tier}))
        await all_begun.wait()
        await asyncio.sleep(delay_s)
        for _ in range(crowd.steps):
            await timed(steps, ask(socket, "step", WAIT_BODY))
            await asyncio.sleep(crowd.think_s)
        return socket

    began = time.perf_counter()
    sockets = await asyncio.gather(*(session(number) for number in range(crowd.sessions)))
    operations = len(resets) + len(steps)
    row = {
        "step_p50_ms": _quantile_ms(steps, 0.5),
        "step_p99_ms": _quantile_ms(steps, 0.99),
        "reset_p99_ms": _quantile_ms(resets, 0.99),
        "rate": operations / (time.perf_counter() - began),
        "errors": float(len(errors)),
        "operations": float(operations),
    }
    return row, sockets


def _quantile_ms(waits_s: list[float], share: float) -> float:
    return 1000.0 * sorted(waits_s)[int(share * len(waits_s))]


async def _trainer(url: str, crowd: Crowd) -> None:
    row, sockets = await play(url, crowd)
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
    await sockets[0].wait_closed()  # until it is killed


if __name__ == "__main__":
    raise_open_files()
    sessions, think_s, steps = sys.argv[2:5]
    asyncio.run(_trainer(sys.argv[1], Crowd(int(sessions), float(think_s), int(steps))))
