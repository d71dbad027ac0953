"""All sessions of a server in one table: HTTP, WebSocket, MCP, graded; one cap, one lease."""

import asyncio
import math
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from orchestrator.errors import EpisodeNotStarted, LeaseEnded, SessionLost, UnknownSession
from orchestrator.validation import parse_id
from server.environment import NAME, SREEnvironment
from server.openenv_compat import SessionCapacityError, SessionTable
from server.schemas import DEFAULT_SESSION
from server.sockets import CURRENT, Socket
from server.wire_action import WireAction
from server.workers.place import Place
from sre_autopilot.models import SREObservation, SREState
from sre_autopilot.world.close_codes import CloseCode

NAME_BYTES = 16
CHECKS_PER_LEASE = 4
"""How often a lease is checked while it lasts."""
MOST_REMEMBERED = 1024
"""Sessions of which it is known that their lease has ended."""

MakeEnvironment = Callable[[str | None], SREEnvironment]
"""From the session's name; None for an environment outside of any session."""


class SessionServer(SessionTable):
    """`max_sessions` at once; one that gets no call for `lease_s` is ended.

    An open WebSocket is a call.

    names_by_clients: whether a client may choose the name of its session, and who gives none plays
        in the default one. Otherwise every new session gets a name that nobody can guess.
    place: where this process stands among several that have `max_sessions` together.
    """

    def __init__(
        self,
        make: MakeEnvironment,
        max_sessions: int,
        lease_s: float,
        *,
        names_by_clients: bool = True,
        place: Place | None = None,
    ) -> None:
        self._lease_s = lease_s
        self._sockets: dict[str, Socket] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._leases_ended: OrderedDict[str, None] = OrderedDict()
        self._names_by_clients = names_by_clients
        wire = (WireAction, SREObservation, SREState)
        self._place, self._make_environment = place, make
        super().__init__(self._make_here, wire, max_sessions, lease_s, name=NAME)

    def _make_here(self, session_id: str | None) -> SREEnvironment:
        """Raises SessionCapacityError where the processes together have no room for a session."""
        if self._place is None or session_id is None:
            return self._make_environment(session_id)
        if not self._place.take(session_id):
            raise SessionCapacityError(self.max_concurrent_envs, self.max_concurrent_envs)
        environment = self._make_environment(session_id)
        environment.at_end = partial(self._place.release, session_id)
        return environment

    @property
    def in_use(self) -> int:
        """Sessions that there are, in all processes of the server."""
        return len(self.names) if self._place is None else self._place.memory.in_use()

    def name_for(self, asked: str) -> str:
        """The name of the session in which a client that asks for `asked` begins an episode.

        Raises InvalidValue.
        """
        name = parse_id("session_id", asked)
        may_keep = self._names_by_clients or name in self.names
        return name if may_keep else secrets.token_hex(NAME_BYTES)

    def find(self, session_id: str) -> SREEnvironment:
        """The environment of a session; this counts as a call.

        Raises UnknownSession, LeaseEnded.
        """
        environment: SREEnvironment | None = self.get(session_id)
        if environment is None:
            raise self._absence(session_id)
        self.count_call(session_id)
        return environment

    def find_started(self, session_id: str) -> SREEnvironment:
        """As `find`; the default session always exists, though perhaps without an episode.

        Raises UnknownSession, EpisodeNotStarted.
        """
        is_there = session_id in self.names or self._is_lost(session_id)
        if session_id == DEFAULT_SESSION and not is_there:
            raise EpisodeNotStarted
        return self.find(session_id)

    @asynccontextmanager
    async def find_or_create(self, session_id: str) -> AsyncIterator[SREEnvironment]:
        """A session that is new does not outlive an error in the context.

        Raises SessionCapacityError, InvalidValue.
        """
        is_new = session_id not in self.names
        await self.create(parse_id("session_id", session_id))
        try:
            yield self.find(session_id)
        except BaseException:
            if is_new:
                await self.destroy(session_id)
            raise

    async def end(self, session_id: str, after_s: float = 0.0) -> None:
        """Ends a session, after `after_s` without a call if that is given: a tab that is closed, or
        loaded anew, does not know which of the two it is. Raises UnknownSession, LeaseEnded.
        """
        self.find(session_id)
        if not after_s:
            await self.destroy(session_id)
            return
        self._leaving[session_id] = asyncio.create_task(self._end_later(session_id, after_s))

    async def _end_later(self, session_id: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        del self._leaving[session_id]
        await self.destroy(session_id)

    def count_call(self, session_id: str) -> None:
        """As SessionTable's; whoever calls has not left."""
        super().count_call(session_id)
        if (leaving := self._leaving.pop(session_id, None)) is not None:
            leaving.cancel()

    def free_in_s(self) -> int:
        """Seconds until a session is free for certain if none gets a call from now on, rounded up:
        leases are checked CHECKS_PER_LEASE times each. Of busy sessions nobody knows.
        """
        check_s = self._lease_s / CHECKS_PER_LEASE
        waits = [
            self._lease_s - self.idle_s(name) + check_s
            for name in self.names
            if name not in self._sockets
        ]
        return max(1, math.ceil(min(waits, default=self._lease_s + check_s)))

    async def create(self, session_id: str | None = None) -> tuple[str, Any]:
        """As SessionTable's; a session without a name belongs to the socket that asks for it."""
        socket = CURRENT.get()
        try:
            name, environment = await super().create(session_id)
        except SessionCapacityError as error:
            if socket is not None:
                socket.close_with(CloseCode.TRY_AGAIN_LATER, str(error))
            error.retry_after_s = self.free_in_s()
            raise
        self._leases_ended.pop(name, None)
        if socket is not None and session_id is None:
            self._sockets[name] = socket
        return name, environment

    async def destroy(self, session_id: str) -> None:
        """As SessionTable's; then closes the socket of the session."""
        if (leaving := self._leaving.pop(session_id, None)) is not None:
            leaving.cancel()
        socket = self._sockets.pop(session_id, None)
        await super().destroy(session_id)
        if socket is not None:
            socket.close_with(CloseCode.SESSION_ENDED, "the session was ended; connect for another")
            await socket.close()

    def attach(self, socket: Socket, session_id: str | None) -> None:
        """Gives a socket the session that it asks for, or else the code to be closed with."""
        if session_id is None:
            return
        if session_id in self.names:
            self._sockets.setdefault(session_id, socket)
            return
        socket.close_with(*self.absence(session_id))

    def detach(self, socket: Socket) -> None:
        """The socket is closed: from now on its session, if it stays, needs calls."""
        for name in [name for name, owner in self._sockets.items() if owner is socket]:
            del self._sockets[name]
            self.count_call(name)

    def absence(self, session_id: str) -> tuple[CloseCode, str]:
        """Code and reason to close a socket with that asks for a session that is not there."""
        error = self._absence(session_id)
        return error.close_code, str(error)

    def _absence(self, session_id: str) -> UnknownSession:
        """Why there is no such session."""
        if session_id in self._leases_ended:
            return LeaseEnded(session_id, self._lease_s)
        if self._is_lost(session_id):
            return SessionLost(session_id)
        return UnknownSession(session_id)

    def _is_lost(self, session_id: str) -> bool:
        return self._place is not None and self._place.memory.is_lost(session_id)

    @asynccontextmanager
    async def temporary(self) -> AsyncIterator[SREEnvironment]:
        """A session for as long as the context lasts. Raises SessionCapacityError."""
        session_id, environment = await self.create()
        try:
            yield environment
        finally:
            await self.destroy(session_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends sessions whose lease is over; at the end of the context, all sessions."""
        self.start_reaping()
        try:
            yield
        finally:
            for leaving in self._leaving.values():
                leaving.cancel()
            await self.destroy_all()

    async def reap(self) -> None:
        """Ends idle sessions. OpenEnv's own looks every 5 s at most, and ends sessions that are in
        the middle of a call.
        """
        while True:
            await asyncio.sleep(self._lease_s / CHECKS_PER_LEASE)
            for session_id in self.names:
                environment = self.get(session_id)
                if environment is None:
                    continue
                if environment.busy or session_id in self._sockets:
                    self.count_call(session_id)
                elif self.idle_s(session_id) > self._lease_s:
                    self._remember_lease(session_id)
                    await self.destroy(session_id)

    def _remember_lease(self, session_id: str) -> None:
        self._leases_ended[session_id] = None
        if len(self._leases_ended) > MOST_REMEMBERED:
            self._leases_ended.popitem(last=False)
