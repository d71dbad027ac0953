"""All sessions of a server in one table, with one cap and one lease: HTTP, WebSocket, MCP, graded.

OpenEnv's own table, with sessions that clients may name and environments that close by `await`.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from openenv.core.env_server import (
    ConcurrencyConfig,
    HTTPEnvServer,
    SessionCapacityError,
    SessionInfo,
)

from orchestrator.errors import EpisodeNotStarted, UnknownSession
from orchestrator.validation import parse_id
from server.environment import NAME, SREEnvironment
from sre_autopilot.models import SREAction, SREObservation, SREState

DEFAULT_SESSION = "default"
CHECKS_A_LEASE = 4
"""How often a lease is checked while it lasts."""

MakeEnvironment = Callable[[str | None], SREEnvironment]
"""From the session's name; None for an environment outside of any session."""


class SessionServer(HTTPEnvServer):
    """`max_sessions` at once; one that gets no call for `lease_s` is ended."""

    def __init__(self, make: MakeEnvironment, max_sessions: int, lease_s: float) -> None:
        self._make = make
        self._lease_s = lease_s
        self._closing: set[asyncio.Task[None]] = set()
        super().__init__(
            lambda: make(None),
            SREAction,
            SREObservation,
            concurrency_config=ConcurrencyConfig(
                max_concurrent_envs=max_sessions, session_timeout=lease_s
            ),
            env_name=NAME,
            state_cls=SREState,
        )

    @property
    def names(self) -> frozenset[str]:
        """Of all sessions that are there."""
        return frozenset(self._sessions)

    def find(self, session_id: str) -> SREEnvironment:
        """A session that is there; asking counts as a call. Raises UnknownSession."""
        environment: SREEnvironment | None = self._sessions.get(session_id)
        if environment is None:
            raise UnknownSession(session_id)
        self._update_session_activity(session_id)
        return environment

    def find_begun(self, session_id: str) -> SREEnvironment:
        """As `find`; the default session is there for everybody, only not begun.

        Raises UnknownSession, EpisodeNotStarted.
        """
        if session_id == DEFAULT_SESSION and session_id not in self._sessions:
            raise EpisodeNotStarted
        return self.find(session_id)

    @asynccontextmanager
    async def found_or_begun(self, session_id: str) -> AsyncIterator[SREEnvironment]:
        """A new one does not outlive an error. Raises SessionCapacityError, InvalidValue."""
        is_new = session_id not in self._sessions
        await self._create_session(parse_id("session_id", session_id))
        try:
            yield self.find(session_id)
        except BaseException:
            if is_new:
                await self._destroy_session(session_id)
            raise

    async def end(self, session_id: str) -> None:
        """Raises UnknownSession."""
        self.find(session_id)
        await self._destroy_session(session_id)

    @asynccontextmanager
    async def guest(self) -> AsyncIterator[SREEnvironment]:
        """A session for as long as the context lasts. Raises SessionCapacityError."""
        session_id, environment = await self._create_session()
        try:
            yield environment
        finally:
            await self._destroy_session(session_id)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends what its lease is over for; at the end, all sessions."""
        self._start_reaper()
        try:
            yield
        finally:
            self._stop_reaper()
            for session_id in tuple(self._sessions):
                await self._destroy_session(session_id)
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def _reap_idle_sessions(self) -> None:
        """As the base's, which never looks more often than every 5 s and ends who plays on."""
        while True:
            await asyncio.sleep(self._lease_s / CHECKS_A_LEASE)
            for session_id, environment in tuple(self._sessions.items()):
                if environment.busy or session_id in self._session_websocket_attachments:
                    self._update_session_activity(session_id)
                elif self._idle_s(session_id) > self._lease_s:
                    await self._destroy_session(session_id)

    def _idle_s(self, session_id: str) -> float:
        info = self._session_info.get(session_id)
        return 0.0 if info is None else time.time() - info.last_activity_at

    async def _create_session(self, session_id: str | None = None) -> tuple[str, Any]:
        """As the base's, which opens WebSocket and MCP sessions by it; needs no threads."""
        async with self._session_lock:
            session_id = session_id or uuid.uuid4().hex
            if session_id not in self._sessions:
                if len(self._sessions) >= self._max_concurrent_envs:
                    raise SessionCapacityError(len(self._sessions), self._max_concurrent_envs)
                now = time.time()
                self._sessions[session_id] = self._make(session_id)
                self._session_info[session_id] = SessionInfo(
                    session_id=session_id,
                    created_at=now,
                    last_activity_at=now,
                    environment_type=SREEnvironment.__name__,
                )
            return session_id, self._sessions[session_id]

    async def _cleanup_session_resources(
        self, env: Any, executor: object = None, stack: object = None
    ) -> None:
        """Goes on where its caller is cancelled, as a socket is whose client has gone."""
        if env is not None:
            closing = asyncio.create_task(env.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)
