"""One session's environment as OpenEnv wants it. Adds no rule to the episode."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from fastmcp import FastMCP
from openenv.core.env_server import Environment as OpenEnvEnvironment
from openenv.core.env_server.types import EnvironmentMetadata

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.backends.base import Backend
from orchestrator.environment import Environment
from orchestrator.errors import BackendError, EnvironmentClosed, EpisodeNotStarted, SessionBusy
from orchestrator.settings import Settings
from server.mcp_tools import make_tools
from server.monitoring import Monitoring
from sre_autopilot.errors import InvalidValue, SREError, UnknownName
from sre_autopilot.grading import EpisodeRecord, Score
from sre_autopilot.models import SREAction, SREObservation, SREState
from sre_autopilot.policies import Policy
from sre_autopilot.policies.play import play_async
from sre_autopilot.world.vocabulary import Tier

NAME = "sre-autopilot"
VERSION = "1.0.0"
DESCRIPTION = (
    "An incident among seven real services: find the cause and mend it from noisy, late telemetry, "
    "in at most 30 steps."
)
log = logging.getLogger(__name__)

MakeBackend = Callable[[Settings], Callable[[], Backend]]
"""From settings to a maker of the world that they name. Raises UnknownName."""

"""A real mesh hands its seed on as eight bytes."""
RESET_ARGUMENTS = ("seed", "episode_id", "task_tier", "backend", "policy")


class NotInSession(SREError, RuntimeError):
    """An episode was asked for where nobody would end it."""

    def __init__(self) -> None:
        super().__init__(
            "episodes live in sessions: call openenv/session/create and pass its session_id in "
            "params, or connect to /mcp or /ws by WebSocket"
        )


class WorldFailed(BackendError):
    """In the agent's words: what failed could tell what was hidden, so the log alone has it."""

    def __init__(self) -> None:
        super().__init__("the mesh failed and the episode is given up; reset begins another")


class SREEnvironment(OpenEnvEnvironment[Any, Any, Any]):
    """Costs nothing until `reset_async`. One call at a time; a second one raises SessionBusy.

    Without a session it answers for metadata only.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(
        self,
        settings: Settings,
        monitoring: Monitoring,
        session_id: str | None = None,
        make_backend: MakeBackend = make_backend,
    ) -> None:
        super().__init__()
        self._settings = settings
        self._monitoring = monitoring
        self._session_id = session_id
        self._make_backend = make_backend
        self._calling = asyncio.Lock()
        self._world: Environment | None = None
        self._closed = False
        self.backend = settings.backend

    async def reset_async(  # noqa: PLR0917 - as OpenEnv calls it
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        task_tier: str = Tier.EASY,
        backend: str | None = None,
        policy: str | None = None,
        **unknown: Any,
    ) -> SREObservation:
        """Begins an episode, on another `backend` if one is named; see `Environment.reset_async`.

        Raises UnknownName for any other argument, InvalidValue, SessionBusy, NotInSession.
        """
        for name in unknown:
            raise UnknownName("argument of reset", name, RESET_ARGUMENTS)
        for name, value in (("backend", backend), ("policy", policy)):
            if value is not None and not isinstance(value, str):
                raise InvalidValue(name, value, "a text")
        async with self._one_call():
            world = await self._world_of(backend or self._settings.backend)
            observation = await world.reset_async(
                seed=seed, task_tier=task_tier, episode_id=episode_id, policy=policy
            )
            self._saw(world)
            return observation

    async def step_async(
        self,
        action: SREAction | Mapping[str, Any],
        timeout_s: float | None = None,
        **_ignored: Any,
    ) -> SREObservation:
        """See `Environment.step_async`. A step cannot be cut short: `timeout_s` is not used.

        Raises SessionBusy too.
        """
        async with self._one_call():
            world = self._running()
            observation = await world.step_async(action)
            self._saw(world)
            return observation

    async def play(
        self, policy: Policy, tier: Tier, seed: int, backend: str | None = None
    ) -> tuple[EpisodeRecord, Score]:
        """Plays a whole episode in this session."""
        async with self._one_call():
            world = await self._world_of(backend or self._settings.backend)
            return await play_async(
                world, policy, tier, seed, watch=lambda _action, _seen: self._saw(world)
            )

    @property
    def busy(self) -> bool:
        """Whether a call is running."""
        return self._calling.locked()

    @property
    def state(self) -> SREState:
        """Where the session is; never the truth."""
        return SREState() if self._world is None else self._world.state

    @property
    def seen(self) -> SREObservation:
        """What was seen last. Raises EpisodeNotStarted."""
        episode = self._running().episode
        seen = SREObservation.model_validate(episode.steps[-1].observed)
        if episode.score is not None:
            seen = seen.model_copy(update={"done": True, "reward": episode.score.total})
        return seen

    def hidden_state(self) -> EpisodeRecord:
        """The truth. Raises EpisodeNotStarted."""
        return self._running().hidden_state()

    @property
    def score(self) -> Score | None:
        """Of the finished episode. Raises EpisodeNotStarted."""
        return self._running().episode.score

    @cached_property
    def mcp_server(self) -> FastMCP:
        """The tools, made when they are first asked for."""
        return make_tools(self)

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name=NAME, description=DESCRIPTION, version=VERSION)

    async def aclose(self) -> None:
        """Ends the mesh, once a running call has its answer. Idempotent."""
        self._closed = True
        async with self._calling:
            world, self._world = self._world, None
            if world is not None:
                await world.aclose()
        self._monitoring.forget(str(self._session_id))

    def close(self) -> None:
        """For environments without a session, which have nothing to end; others are `aclose`d."""
        assert self._world is None, "a session's environment is closed by aclose"

    def reset(self, *_args: Any, **_kwargs: Any) -> SREObservation:
        """OpenEnv calls the async twin."""
        raise NotImplementedError

    def step(self, *_args: Any, **_kwargs: Any) -> SREObservation:
        """OpenEnv calls the async twin."""
        raise NotImplementedError

    @asynccontextmanager
    async def _one_call(self) -> AsyncIterator[None]:
        if self._session_id is None:
            raise NotInSession
        if self._calling.locked():
            raise SessionBusy
        async with self._calling:
            if self._closed:
                raise EnvironmentClosed
            try:
                yield
            # The agents' door: whatever broke may name what is hidden.
            except Exception as error:
                if isinstance(error, SREError) and not isinstance(error, BackendError):
                    raise
                self._monitoring.failed()
                log.exception("session %s: the world failed", self._session_id)
                raise WorldFailed from error

    def _saw(self, world: Environment) -> None:
        self._monitoring.saw(str(self._session_id), world.episode)

    def _running(self) -> Environment:
        if self._world is None:
            raise EpisodeNotStarted
        return self._world

    async def _world_of(self, backend: str) -> Environment:
        """The world that runs, or a new one where another backend is asked for."""
        if self._world is None or backend != self.backend:
            make = self._make_backend(self._settings.model_copy(update={"backend": backend}))
            if self._world is not None:
                await self._world.aclose()
            self._world = Environment(
                make, drawing(self._settings.fault), self._settings.record_dir
            )
            self.backend = backend
        return self._world
