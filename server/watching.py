"""Watching sessions: which there are, and each of them live, as its agent sees it.

Who watches changes nothing: no call counts for the session's lease, nothing that is sent is read,
and a slow reader holds up nobody.
"""

import asyncio
import base64
import binascii
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

from orchestrator.episode import Episode
from orchestrator.errors import EpisodeNotStarted
from orchestrator.settings import Settings
from server.environment import SREEnvironment
from server.routes import ERRORS, WRONG_TOKEN, is_trusted, require_token
from server.sessions import SessionServer
from server.sockets import CURRENT
from sre_autopilot.models import SREState
from sre_autopilot.world.close_codes import CloseCode

PROTOCOL = "sre-autopilot.watch"
"""The subprotocol of a watching socket, for those who have to name one."""
TOKEN_PREFIX = "base64url.bearer."
"""A browser cannot set headers of a socket: it sends the token as one more subprotocol, this and
the token in base64url."""
MOST_WATCHERS = 64
"""Watching sockets of a server at once."""
MOST_PACE_S = 60.0
"""The longest pace, s."""


class WatchableSession(SREState):
    """A session as the list of them has it."""

    session_id: str
    policy: str | None = Field(None, description="who plays, if that was said at reset")


class SessionList(BaseModel):
    """All sessions of a server."""

    sessions: list[WatchableSession]


class Watchers:
    """How many watch."""

    def __init__(self, most: int = MOST_WATCHERS) -> None:
        self._count, self._most = 0, most

    @contextmanager
    def one_more(self) -> Iterator[bool]:
        """Whether there is room for one more, who has it while the context lasts."""
        if self._count >= self._most:
            yield False
            return
        self._count += 1
        try:
            yield True
        finally:
            self._count -= 1


def watch_routes(sessions: SessionServer, settings: Settings) -> APIRouter:
    """GET /sessions, and the WebSocket /watch/{session_id}."""
    router, watchers = APIRouter(tags=["Episodes"]), Watchers()

    @router.get("/sessions", summary="The sessions there are", responses=WRONG_TOKEN | ERRORS)
    async def list_sessions(
        authorization: Annotated[str | None, Header()] = None,
    ) -> SessionList:
        """With a token set, for whom has it."""
        require_token(settings, authorization)
        return SessionList(sessions=[_watchable(sessions, name) for name in sorted(sessions.names)])

    @router.websocket("/watch/{session_id}")
    async def watch(socket: WebSocket, session_id: str) -> None:
        pace_s = _pace_s(socket.query_params.get("pace_s", "0"))
        await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
        with watchers.one_more() as has_room, suppress(WebSocketDisconnect):
            if not _may_watch(socket, settings):
                await _close(socket, CloseCode.NO_TOKEN, "watching needs the token of /state")
            elif pace_s is None:
                expected = f"pace_s must be a number of seconds from 0 to {MOST_PACE_S:g}"
                await _close(socket, CloseCode.INVALID_VALUE, expected)
            elif not has_room:
                await _close(socket, CloseCode.TRY_AGAIN_LATER, f"{MOST_WATCHERS} watch already")
            elif (environment := sessions.get(session_id)) is None:
                await _close(socket, *sessions.absence(session_id))
            else:
                await _send_until_gone(socket, environment, session_id, pace_s)
                await _close(socket, *_end(sessions, session_id))

    return router


def _watchable(sessions: SessionServer, name: str) -> WatchableSession:
    environment: SREEnvironment | None = sessions.get(name)
    episode = None if environment is None else _episode_of(environment)
    state = SREState() if environment is None else environment.state
    policy = None if episode is None else episode.plan.policy
    return WatchableSession(**state.model_dump(), session_id=name, policy=policy)


def _episode_of(environment: SREEnvironment) -> Episode | None:
    with suppress(EpisodeNotStarted):
        return environment.episode
    return None


def _may_watch(socket: WebSocket, settings: Settings) -> bool:
    authorization = socket.headers.get("authorization")
    for protocol in socket.scope["subprotocols"]:
        if protocol.startswith(TOKEN_PREFIX):
            encoded = protocol.removeprefix(TOKEN_PREFIX)
            with suppress(binascii.Error, ValueError):
                token = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
                authorization = f"Bearer {token.decode()}"
    try:
        return is_trusted(settings, authorization)
    except HTTPException as error:
        assert error.status_code == HTTPStatus.UNAUTHORIZED
        return False


def _pace_s(text: str) -> float | None:
    """None for what is no pace."""
    with suppress(ValueError):
        if 0.0 <= (pace_s := float(text)) <= MOST_PACE_S:
            return pace_s
    return None


async def _send_until_gone(
    socket: WebSocket, environment: SREEnvironment, session: str, pace_s: float
) -> None:
    """Until the session is over. Raises WebSocketDisconnect where the watcher goes first.

    pace_s: from one time that steps are sent to the next, at least; those that come meanwhile are
        sent one after the other then, which costs a browser less than to be woken by each. The end
        of an episode is sent at once.
    """
    watcher_goes = asyncio.create_task(_until_disconnected(socket))
    now_s = asyncio.get_running_loop().time
    try:
        begun: Episode | None = None
        steps_sent, sent_s = 0, -math.inf
        closed = False
        while not closed:
            news = environment.news.next
            # Read first: what came before the end is sent after it.
            closed = environment.closed
            episode = _episode_of(environment)
            goes_on = episode is begun and not closed and not (begun and begun.done)
            if goes_on and (left_s := sent_s + pace_s - now_s()) > 0.0:
                await _first_of(news, watcher_goes, left_s)
                continue
            # What is left of an episode comes before another one begins.
            steps_sent = await _send_steps(socket, begun, steps_sent)
            if episode is not None and episode is not begun and episode.steps:
                begun = episode
                await socket.send_json({"type": "episode", "data": _begin(begun, session)})
                steps_sent = await _send_steps(socket, begun, 0)
            sent_s = now_s()
            if not (news.is_set() or environment.closed):
                await _first_of(news, watcher_goes)
    finally:
        watcher_goes.cancel()


async def _send_steps(socket: WebSocket, episode: Episode | None, first: int) -> int:
    """Sends those from `first` on; returns how many of the episode are sent by now."""
    while episode is not None and first < len(episode.steps):
        await socket.send_json({"type": "step", "data": _step(episode, first)})
        first += 1
    return first


async def _first_of(
    news: asyncio.Event, watcher_goes: asyncio.Task[None], timeout_s: float | None = None
) -> None:
    """Until there are news, or `timeout_s` has passed. Raises WebSocketDisconnect where the watcher
    goes before.
    """
    waiting = asyncio.create_task(news.wait())
    try:
        await asyncio.wait(
            {waiting, watcher_goes}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waiting.cancel()
    if watcher_goes.done():
        raise WebSocketDisconnect


async def _until_disconnected(socket: WebSocket) -> None:
    """Reads and drops whatever comes."""
    with suppress(WebSocketDisconnect):
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass


def _begin(episode: Episode, session_id: str) -> dict[str, Any]:
    """What a watcher is told of an episode: nothing that its agent does not know."""
    return {
        "session_id": session_id,
        "episode_id": episode.plan.episode_id,
        "backend": episode.plan.backend,
        "policy": episode.plan.policy,
    }


def _step(episode: Episode, step: int) -> dict[str, Any]:
    """An action, None at step 0, and what its agent saw after it."""
    record = episode.steps[step]
    is_last = episode.done and step == len(episode.steps) - 1
    beside = {"reward", "done"}
    return {
        "action": record.action
        and record.action.model_dump(mode="json", include={"action", "service_id"}),
        "observation": {k: value for k, value in record.observed.items() if k not in beside},
        "reward": episode.score.total if is_last and episode.score is not None else 0.0,
        "done": is_last,
    }


def _end(sessions: SessionServer, session_id: str) -> tuple[CloseCode, str]:
    code, reason = sessions.absence(session_id)
    if code is CloseCode.UNKNOWN_SESSION:
        return CloseCode.SESSION_ENDED, "the session was ended"
    return code, reason


async def _close(socket: WebSocket, code: CloseCode, reason: str) -> None:
    """Closes with our code, whatever the endpoint does afterwards."""
    current = CURRENT.get()
    assert current is not None, "every WebSocket passes the middleware"
    current.close_with(code, reason)
    await socket.close(code)
