"""The parts of a world of processes: which process is what, and which ones a kill is for."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.backends.process.supervisor import ZYGOTE, ZYGOTE_COMMAND
from sre_autopilot.evaluation.chaos_test import world
from sre_autopilot.evaluation.chaos_test.proc import Process
from sre_autopilot.world.topology import USERS

OWNER, SERVER = "owner", "server"
KINDS = (
    *(3 * (world.ONE_REPLICA,)),
    world.SEVERAL_REPLICAS,
    USERS,
    *(2 * (ZYGOTE,)),
    SERVER,
    OWNER,
    f"{SERVER}+{ZYGOTE}",
    world.EVERYTHING,
)
"""Replicas most often, as there are most of them."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The processes of a world, by what they are. One that just starts may be among `others`."""

    owner: Process | None = None
    server: Process | None = None
    zygote: Process | None = None
    mesh: tuple[Process, ...] = ()
    others: tuple[Process, ...] = ()

    def __iter__(self) -> Iterator[Process]:
        named = (self.owner, self.server, self.zygote, *self.mesh, *self.others)
        return (process for process in named if process is not None)

    @classmethod
    def of(cls, processes: Sequence[Process], owner_pid: int | None) -> "Parts":
        owner = next((p for p in processes if p.pid == owner_pid), None)
        server = _child(processes, owner, "server.app")
        zygote = _child(processes, server, ZYGOTE_COMMAND[-1])
        mesh = tuple(p for p in processes if zygote is not None and p.parent == zygote.pid)
        known_pids = {p.pid for p in cls(owner, server, zygote, mesh)}
        others = tuple(p for p in processes if p.pid not in known_pids)
        return cls(owner, server, zygote, mesh, others)


def _child(processes: Sequence[Process], parent: Process | None, module: str) -> Process | None:
    """The one that `parent` has started to run this module."""
    if parent is None:
        return None
    return next((p for p in processes if p.parent == parent.pid and module in p.command), None)


def text_of(process: Process) -> str:
    return f"process {process.name} ({process.pid})"


def chosen_processes(kind: str, parts: Parts, draws: random.Random) -> tuple[Process, ...]:
    """The processes of a kind, in the order in which they are killed."""
    replicas = [process for process in parts.mesh if process.name != USERS]
    match kind:
        case world.ONE_REPLICA | world.SEVERAL_REPLICAS:
            chosen = world.drawn_replicas(kind, replicas, draws)
        case world.EVERYTHING:
            chosen = draws.sample(list(parts), len(list(parts)))
        case _:
            named = {OWNER: parts.owner, SERVER: parts.server, ZYGOTE: parts.zygote}
            named[USERS] = next((p for p in parts.mesh if p.name == USERS), None)
            chosen = [process for name in kind.split("+") if (process := named[name]) is not None]
    return tuple(chosen)


def name_of(process: Process, parts: Parts) -> str:
    named = {parts.owner: OWNER, parts.server: SERVER, parts.zygote: ZYGOTE}
    return named.get(process) or process.name
