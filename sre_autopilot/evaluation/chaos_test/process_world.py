"""A world of processes to kill: an owner, its server, the server's zygote, and the mesh.

All of it runs below a folder of its own, and nothing outside of that is ever looked at or killed.
"""

import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.backends.process.die_with_parent import die_with_parent
from orchestrator.backends.process.directory import mesh_folders
from server.server_process import ROOT, STOP_TIMEOUT_S
from sre_autopilot.evaluation.chaos_test.owner import LOG, MODULE, RECORDS
from sre_autopilot.evaluation.chaos_test.proc import (
    Process,
    listening_addresses,
    listening_sockets,
    processes_of,
)
from sre_autopilot.evaluation.chaos_test.process_parts import (
    KINDS,
    Parts,
    chosen_processes,
    name_of,
    text_of,
)
from sre_autopilot.evaluation.chaos_test.records import graded
from sre_autopilot.evaluation.chaos_test.world import Victims, WorldFailed
from sre_autopilot.world.deployment import initial_deployment

MESH_SIZE = sum(1 for _ in initial_deployment()) + 1
"""Processes of a fresh mesh: its replicas, and the users."""
START_TIMEOUT_S = 90.0
LOG_TAIL_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Doomed:
    """What must end with the victims: these processes and sockets, or all but some processes."""

    processes: tuple[Process, ...]
    sockets: frozenset[int]
    all_but: frozenset[Process] | None
    folder: bool


class ProcessWorld:
    """Made by `process_world`, which ends it."""

    kinds: Sequence[str] = KINDS
    patience_s = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tmp, self.records = folder / "tmp", folder / RECORDS
        self.url = ""
        self._owner: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        parts = self.parts()
        if parts.owner is not None and parts.server is not None:
            return
        await self.stop()
        with (self.folder / LOG).open("ab") as log:
            self._owner = owner = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULE, str(self.folder)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(self.tmp)},
                preexec_fn=die_with_parent,
            )
        assert owner.stdout is not None
        self.url = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                self.url = (await owner.stdout.readline()).decode().strip()
        if not self.url:
            raise WorldFailed(f"the server did not start: {self.log_tail()}")

    async def stop(self) -> None:
        """Ends owner and server as an exit does. Idempotent."""
        owner, self._owner = self._owner, None
        if owner is None:
            return
        assert owner.stdin is not None
        owner.stdin.close()
        try:
            await asyncio.wait_for(owner.wait(), 2 * STOP_TIMEOUT_S)
        except TimeoutError:
            owner.kill()
            await owner.wait()

    def parts(self) -> Parts:
        return Parts.of(processes_of(self.tmp), self._owner.pid if self._owner else None)

    def victims(self, kind: str, draw: int) -> Victims:
        parts = self.parts()
        processes = chosen_processes(kind, parts, random.Random(draw))
        if not processes:
            return Victims()
        ends_server = parts.owner in processes or parts.server in processes
        keeps = frozenset(p for p in (parts.owner, parts.server) if p is not None)
        ends_mesh = ends_server or parts.zygote in processes
        ends = (
            tuple(parts) if ends_server else (*parts.mesh, *processes) if ends_mesh else processes
        )
        doomed = Doomed(
            processes=ends,
            sockets=listening_sockets(ends),
            all_but=(frozenset() if ends_server else keeps) if ends_mesh else None,
            # The zygote removes the folder of an owner that is dead; if it dies too, the next
            # mesh that is started here does.
            folder=ends_server and parts.zygote is not None and parts.zygote not in processes,
        )
        names = tuple(name_of(process, parts) for process in processes)
        return Victims(names, processes, doomed, ends_server)

    def kill(self, victims: Victims) -> None:
        for process in victims.handles:
            # By a descriptor, so that a pid that was taken by another program is not hit.
            with suppress(ProcessLookupError):
                descriptor = os.pidfd_open(process.pid)
                try:
                    if process.alive:
                        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                finally:
                    os.close(descriptor)

    def residues(self, victims: Victims, *, renewed: bool = False) -> list[str]:
        doomed = victims.doomed
        if not isinstance(doomed, Doomed):
            return []
        left = [text_of(process) for process in doomed.processes if process.alive]
        # A mesh that goes on without a replica lacks it until a window ends.
        if doomed.all_but is not None:
            left += self.unwell() if renewed else self._strays(doomed.all_but, doomed.processes)
        left += [f"port {address}" for address in listening_addresses(doomed.sockets)]
        if doomed.folder:
            left += [f"folder {path.name}" for path in mesh_folders(self.tmp)]
        return left

    def _strays(self, *expected: Iterable[Process]) -> list[str]:
        all_expected = {process for group in expected for process in group}
        living = processes_of(self.tmp)
        return [text_of(process) for process in living if process not in all_expected]

    def unwell(self) -> list[str]:
        parts = self.parts()
        wrong = []
        if len(parts.mesh) != MESH_SIZE:
            wrong.append(f"{len(parts.mesh)} processes in the mesh, not {MESH_SIZE}")
        wrong += [f"stray {text_of(process)}" for process in parts.others]
        if len(folders := mesh_folders(self.tmp)) != 1:
            wrong.append(f"{len(folders)} folders of meshes, not 1")
        return wrong

    def leftovers_of_meshes(self) -> list[str]:
        """What is there of any mesh, while no session is open."""
        parts = self.parts()
        left = [text_of(p) for p in parts if p not in (parts.owner, parts.server)]
        return left + [f"folder {path.name}" for path in mesh_folders(self.tmp)]

    def leftovers(self) -> list[str]:
        """Everything that is there still; for a world that was stopped."""
        left = [text_of(process) for process in processes_of(self.tmp)]
        return left + [f"file {path.name}" for path in self.tmp.iterdir()]

    def record(self, episode_id: str) -> tuple[str, str | None]:
        return graded(self.records / f"{episode_id}.jsonl")

    def log_tail(self) -> str:
        return (self.folder / LOG).read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


@asynccontextmanager
async def process_world(root: Path | None = None) -> AsyncIterator[ProcessWorld]:
    """A world below a new folder in `root`; nothing of it stays. Raises WorldFailed."""
    folder = Path(tempfile.mkdtemp(prefix="sre-chaos-test-", dir=root))
    world = ProcessWorld(folder)
    world.tmp.mkdir()
    try:
        await world.start()
        yield world
        await world.stop()
        if left := world.leftovers():
            raise WorldFailed(f"left of a world that was stopped: {', '.join(left)}")
    finally:
        await world.stop()
        shutil.rmtree(folder, ignore_errors=True)
