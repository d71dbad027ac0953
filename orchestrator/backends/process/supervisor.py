"""The orchestrator's side of the zygote: which processes live, where they serve, how they ended.

Starts and ends processes by name; does not know what they serve.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.backends.live.control_client import Target
from orchestrator.backends.live.replicas import KILLED_EXIT_CODE, ReplicaHandle
from orchestrator.backends.process.directory import MeshDirectory
from orchestrator.backends.process.environ import mesh_environ
from orchestrator.backends.process.held_ports import HeldPorts
from orchestrator.errors import BackendError
from services.runtime.spec import LOOPBACK

ZYGOTE = "zygote"
ZYGOTE_COMMAND = (sys.executable, "-m", "orchestrator.backends.process.zygote")
_IMPORT_ROOT = Path(__file__).parents[3]
_CLOSE_TIMEOUT_S = 3.0


class Supervisor:
    """Owns a zygote, from `start` until it is closed."""

    def __init__(self, directory: MeshDirectory, command: Sequence[str] = ZYGOTE_COMMAND) -> None:
        self._directory = directory
        self._command = command
        self._zygote: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._running: dict[str, ReplicaHandle] = {}
        self._ports = HeldPorts(LOOPBACK)

    @property
    def has_ended(self) -> bool:
        """Whether a zygote was started and has ended without being closed."""
        return self._reading is not None and self._reading.done()

    async def start(self) -> None:
        """Starts the zygote, unless one runs."""
        if self.has_ended:
            await self._end_zygote()
        if self._zygote is not None and self._zygote.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._zygote.send_signal(signal.SIGCONT)  # else one stopped from outside stays so
        if self._reading is None:
            with self._directory.log(ZYGOTE).open("ab") as log:
                # A session of its own: Ctrl-C at a terminal is for the orchestrator alone.
                self._zygote = await asyncio.create_subprocess_exec(
                    *(*self._command, str(self._directory.path)),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    cwd=_IMPORT_ROOT,
                    env=mesh_environ(os.environ),
                    start_new_session=True,
                )
            self._reading = asyncio.create_task(self._read_events(self._zygote))

    async def spawn(
        self, name: str, spec: Mapping[str, Any], memory_limit_mb: int | None
    ) -> ReplicaHandle:
        """Forks a process; returns before it serves. No process of that name may run."""
        handle = ReplicaHandle(name)
        self._running[name] = handle
        log = str(self._directory.log(name))
        limit = {"memory_limit_mb": memory_limit_mb}
        ports = {port: self._ports.take() for port in ("data_port", "control_port")}
        await self._send("spawn", name=name, spec={**spec, **ports}, log=log, **limit)
        return handle

    async def kill(self, handles: Iterable[ReplicaHandle]) -> None:
        """Kills those that run; returns when they have exited. Raises BackendError."""
        running = [handle for handle in handles if handle.exit_code is None]
        if running:
            await self._send("kill", names=[handle.name for handle in running])
            if not all([await handle.wait_exited(_CLOSE_TIMEOUT_S) for handle in running]):
                raise BackendError(f"cannot kill {', '.join(map(str, running))}")

    async def terminate(self, handle: ReplicaHandle, grace_s: float) -> None:
        """Kills a process that does not finish within `grace_s`; returns when it has exited."""
        if handle.exit_code is None:
            await self._send("terminate", name=handle.name)
            await handle.wait_exited(grace_s)
            await self.kill([handle])

    async def aclose(self) -> None:
        """Ends all processes, removes their folder, and ends the zygote. Idempotent."""
        try:
            with contextlib.suppress(BackendError):  # what it cannot kill ends with it
                await self.kill(self._running.values())
        finally:
            # Before the zygote ends, which removes the folder if this process is killed meanwhile.
            self._directory.remove()
            await self._end_zygote()
            self._ports.close()

    async def _end_zygote(self) -> None:
        zygote, reading = self._zygote, self._reading
        self._zygote = self._reading = None
        if zygote is None or reading is None:
            return
        assert zygote.stdin is not None
        zygote.stdin.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await zygote.wait()
        except TimeoutError:
            zygote.kill()
            await zygote.wait()
        await reading

    async def _send(self, command: str, **fields: object) -> None:
        try:
            if self._zygote is None or self._reading is None or self._reading.done():
                raise ConnectionError("it has ended")
            assert self._zygote.stdin is not None
            self._zygote.stdin.write(_line(command, **fields))
            await self._zygote.stdin.drain()
        except ConnectionError as error:
            tail = self._directory.log_tail(ZYGOTE)
            raise BackendError(f"the zygote does not listen: {error}\n{tail}") from error

    async def _read_events(self, zygote: asyncio.subprocess.Process) -> None:
        assert zygote.stdout is not None
        try:
            async for line in zygote.stdout:
                self._on_event(json.loads(line))
        finally:
            for handle in self._running.values():
                handle.mark_exited(KILLED_EXIT_CODE)
            self._running.clear()

    def _on_event(self, event: Mapping[str, Any]) -> None:
        name = event["name"]
        if event["event"] == "ready":
            ports = (event["data_port"], event["control_port"])
            self._running[name].mark_serving(
                Target(name, *(f"http://{LOOPBACK}:{port}" for port in ports))
            )
        else:
            self._running.pop(name).mark_exited(event["exit_code"])


def _line(command: str, **fields: object) -> bytes:
    return json.dumps({"command": command, **fields}).encode() + b"\n"
