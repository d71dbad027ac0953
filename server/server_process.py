"""The server, or another program of the checkout, in a process that ends with the one that started
it.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import IO

import httpx

from orchestrator.backends.process.die_with_parent import die_with_parent
from orchestrator.settings import variable
from services.runtime.spec import LOOPBACK

ROOT = Path(__file__).parents[1]
READY_TIMEOUT_S = 60.0
POLL_S = 0.05
STOP_TIMEOUT_S = 10.0


@asynccontextmanager
async def child_process(
    command: Sequence[str],
    log: IO[bytes],
    *,
    stdout: IO[bytes] | int | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program in the root of the checkout, which ends with this context or with this process.

    command: its arguments to Python.
    log: where its output goes; `stdout` takes standard output where it is not None.
    environ: variables in addition to those of this process.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdout=log if stdout is None else stdout,
        stderr=log,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        preexec_fn=die_with_parent,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except TimeoutError:
                process.kill()
                await process.wait()


def free_port() -> int:
    with closing(socket.create_server((LOOPBACK, 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


async def ready(url: str, server: asyncio.subprocess.Process) -> None:
    """Waits until the server has a free session. Raises RuntimeError after READY_TIMEOUT_S."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_TIMEOUT_S):
                while server.returncode is None:
                    with suppress(httpx.TransportError):
                        if (await client.get("/ready")).is_success:
                            return
                    await asyncio.sleep(POLL_S)
    raise RuntimeError("the server did not start")


@asynccontextmanager
async def server_process(
    record_dir: Path, log: IO[bytes], options: Sequence[str] = (), **settings: str
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """URL and process of a server that is ready and records to `record_dir`.

    options: of its command line. settings: fields of Settings.

    Raises RuntimeError where the server does not start.
    """
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    command = ("-m", "server.app", "--host", LOOPBACK, "--port", str(port), *options)
    fields = {"record_dir": str(record_dir.absolute()), "metrics_port": "0", **settings}
    environ = {variable(name): value for name, value in fields.items()}
    async with child_process(command, log, environ=environ) as server:
        await ready(url, server)
        yield url, server
