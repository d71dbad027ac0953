"""The orchestrator's side of the zygote: which processes live, where they serve, how they ended.

Starts and ends processes by name; what they are for, it does not know.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.backends.live.control_client import Target
from orchestrator.backends.live.replicas import Life
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.errors import BackendError
from services.runtime.spec import LOOPBACK

ZYGOTE = "zygote"
ZYGOTE_COMMAND = (sys.executable, "-m", "orchestrator.backends.process.zygote")
_IMPORT_ROOT = Path(__file__).parents[3]
_CLOSE_TIMEOUT_S = 3.0
_KILLED = 128 + signal.SIGKILL


class Supervisor:
    """Owns a zygote, from `start` until it is closed."""

    def __init__(self, directory: MeshDirectory, command: Sequence[str] = ZYGOTE_COMMAND) -> None:
        self._directory = directory
        self._command = command
        self._zygote: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._living: dict[str, Life] = {}

    async def start(self) -> None:
        """Starts the zygote, unless one lives."""
        if self._listening is not None and self._listening.done():
            await self.aclose()
        if self._listening is None:
            with self._directory.log(ZYGOTE).open("ab") as log:
                # A session of its own: Ctrl-C at a terminal is for the orchestrator alone.
                self._zygote = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    cwd=_IMPORT_ROOT,
                    start_new_session=True,
                )
            self._listening = asyncio.create_task(self._listen(self._zygote))

    async def spawn(self, name: str, spec: Mapping[str, Any], memory_limit_mb: int | None) -> Life:
        """Forks a process; returns before it serves. Nothing of that name may live."""
        process = Life(name)
        self._living[name] = process
        log = str(self._directory.log(name))
        limit = {"memory_limit_mb": memory_limit_mb}
        await self._send("spawn", name=name, spec=spec, log=log, **limit)
        return process

    async def kill(self, processes: Iterable[Life]) -> None:
        """Kills those that live; returns when they are gone."""
        doomed = [process for process in processes if process.exit_code is None]
        if doomed:
            await self._send("kill", names=[process.name for process in doomed])
            if not all([await process.gone(_CLOSE_TIMEOUT_S) for process in doomed]):
                raise BackendError(f"cannot kill {', '.join(map(str, doomed))}")

    async def terminate(self, process: Life, grace_s: float) -> None:
        """Lets a process end what it is at, for `grace_s`; returns when it is gone."""
        if process.exit_code is None:
            await self._send("terminate", name=process.name)
            await process.gone(grace_s)
            await self.kill([process])

    async def aclose(self) -> None:
        """Ends all processes and the zygote. Idempotent."""
        zygote, listening = self._zygote, self._listening
        self._zygote = self._listening = None
        if zygote is None or listening is None:
            return
        assert zygote.stdin is not None
        zygote.stdin.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await zygote.wait()
        except TimeoutError:
            zygote.kill()
            await zygote.wait()
        await listening

    async def _send(self, command: str, **fields: object) -> None:
        try:
            if self._zygote is None or self._listening is None or self._listening.done():
                raise ConnectionError("it has ended")
            assert self._zygote.stdin is not None
            self._zygote.stdin.write(json.dumps({"command": command, **fields}).encode() + b"\n")
            await self._zygote.stdin.drain()
        except ConnectionError as error:
            tail = self._directory.log_tail(ZYGOTE)
            raise BackendError(f"the zygote does not listen: {error}\n{tail}") from error

    async def _listen(self, zygote: asyncio.subprocess.Process) -> None:
        assert zygote.stdout is not None
        try:
            async for line in zygote.stdout:
                self._hear(json.loads(line))
        finally:
            for process in self._living.values():
                process.ended(_KILLED)
            self._living.clear()

    def _hear(self, event: Mapping[str, Any]) -> None:
        name = event["name"]
        if event["event"] == "ready":
            ports = (event["data_port"], event["control_port"])
            self._living[name].serves(
                Target(name, *(f"http://{LOOPBACK}:{port}" for port in ports))
            )
        else:
            self._living.pop(name).ended(event["exit_code"])
