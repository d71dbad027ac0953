"""All sessions of a server in one table: HTTP, WebSocket, MCP, graded; one cap, one lease."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from orchestrator.errors import EpisodeNotStarted, UnknownSession
from orchestrator.validation import parse_id
from server.environment import NAME, SREEnvironment
from server.openenv_compat import SessionTable
from server.schemas import DEFAULT_SESSION
from sre_autopilot.models import SREAction, SREObservation, SREState

CHECKS_PER_LEASE = 4
"""How often a lease is checked while it lasts."""

MakeEnvironment = Callable[[str | None], SREEnvironment]
"""From the session's name; None for an environment outside of any session."""


class SessionServer(SessionTable):
    """`max_sessions` at once; one that gets no call for `lease_s` is ended."""

    def __init__(self, make: MakeEnvironment, max_sessions: int, lease_s: float) -> None:
        self._lease_s = lease_s
        wire = (SREAction, SREObservation, SREState)
        super().__init__(make, wire, max_sessions, lease_s, name=NAME)

    def find(self, session_id: str) -> SREEnvironment:
        """The environment of a session; this counts as a call. Raises UnknownSession."""
        environment: SREEnvironment | None = self.get(session_id)
        if environment is None:
            raise UnknownSession(session_id)
        self.count_call(session_id)
        return environment

    def find_started(self, session_id: str) -> SREEnvironment:
        """As `find`; the default session always exists, though perhaps without an episode.

        Raises UnknownSession, EpisodeNotStarted.
        """
        if session_id == DEFAULT_SESSION and session_id not in self.names:
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

    async def end(self, session_id: str) -> None:
        """Raises UnknownSession."""
        self.find(session_id)
        await self.destroy(session_id)

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
                if environment.busy or self.has_socket(session_id):
                    self.count_call(session_id)
                elif self.idle_s(session_id) > self._lease_s:
                    await self.destroy(session_id)
