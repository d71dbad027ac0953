"""One session's environment as OpenEnv wants it. Adds no rule to the episode."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from fastmcp import FastMCP

from chaos.tiers import drawing
from orchestrator.backends import make_backend
from orchestrator.environment import Environment
from orchestrator.episode import Episode
from orchestrator.errors import (
    BackendError,
    EnvironmentClosed,
    EpisodeAbandoned,
    EpisodeNotStarted,
    NotInSession,
    SessionBusy,
)
from orchestrator.secrecy import Secrecy
from orchestrator.settings import Settings
from server.mcp import make_tools
from server.monitoring import Monitoring
from server.news import News
from server.openenv_compat import AsyncEnvironment, EnvironmentMetadata
from server.wire_action import BadAction
from sre_autopilot.checked_settings import MakeBackend
from sre_autopilot.errors import InvalidValue, SREError, UnknownField
from sre_autopilot.grading import EpisodeRecord, Score
from sre_autopilot.models import SREAction, SREObservation, SREState
from sre_autopilot.policies import Policy
from sre_autopilot.policies.play import play_async
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.version import __version__
from sre_autopilot.world.vocabulary import ActionName, Tier

NAME = "sre-autopilot"
DESCRIPTION = (
    "An incident among seven real services: find the cause and mend it from noisy, late telemetry, "
    "in at most 30 steps."
)
log = logging.getLogger(__name__)

RESET_ARGUMENTS = ("seed", "episode_id", "task_tier", "backend", "policy", "lenient")


class SREEnvironment(AsyncEnvironment):
    """Costs nothing until `reset_async`. One call at a time; a second one raises SessionBusy.

    Without a session it answers for metadata only.
    """

    def __init__(
        self,
        settings: Settings,
        monitoring: Monitoring,
        session_id: str | None = None,
        make_backend: MakeBackend = make_backend,
        *,
        secrecy: Secrecy | None = None,
        prepared: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """prepared: waits until the configured backend is in order, or raises BackendError."""
        super().__init__()
        self._prepared, self._secrecy = prepared, secrecy
        self._settings, self._monitoring = settings, monitoring
        self._session_id = session_id
        self._make_backend, self._calling = make_backend, asyncio.Lock()
        self._environment: Environment | None = None
        self.closed = self._lenient = False
        self.backend = settings.backend
        self.news = News()  # of windows, and of the end
        self.at_end: Callable[[], None] = lambda: None

    async def reset_async(  # noqa: PLR0917 - as OpenEnv calls it
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        task_tier: str = Tier.EASY,
        backend: str | None = None,
        policy: str | None = None,
        lenient: bool = False,
        **unknown: Any,
    ) -> SREObservation:
        """Begins an episode, on another `backend` if one is named; see `Environment.reset_async`.

        lenient: whether a bad action over a socket is a refused `wait`, and no error.

        Raises UnknownField for any other argument, InvalidValue, SessionBusy, NotInSession.
        """
        for name in unknown:
            raise UnknownField(name, RESET_ARGUMENTS)
        for name, value in (("backend", backend), ("policy", policy)):
            if value is not None and not isinstance(value, str):
                raise InvalidValue(name, value, "text")
        if not isinstance(lenient, bool):
            raise InvalidValue("lenient", lenient, "true or false")
        self._check_backend(backend, (self._settings.backend,))
        async with self._one_call():
            environment = await self._environment_on(backend or self._settings.backend)
            observation = await environment.reset_async(
                seed=seed, task_tier=task_tier, episode_id=episode_id, policy=policy
            )
            self._lenient = lenient
            self._count_window(environment)
            return observation

    async def step_async(
        self,
        action: SREAction | BadAction | Mapping[str, Any],
        timeout_s: float | None = None,
        **_ignored: Any,
    ) -> SREObservation:
        """See `Environment.step_async`. A step cannot be cut short: `timeout_s` is not used.

        Raises SessionBusy too, and the error of a BadAction unless the session is lenient.
        """
        refusal: str | None = None
        if isinstance(action, BadAction):
            if not self._lenient:
                raise action.error
            refusal, action = action.reason, SREAction(action=ActionName.WAIT)
        async with self._one_call():
            environment = self._running()
            observation = await environment.step_async(action, refusal=refusal)
            self._count_window(environment)
            return observation

    async def play(
        self, policy: Policy, tier: Tier, seed: int, backend: str | None = None
    ) -> tuple[EpisodeRecord, Score]:
        """Plays a whole episode of `seed` itself, in every mode, in a session that plays no other.

        It leaves no record: whoever may ask for a score may not fill a disk with it.
        """
        self._check_backend(backend, (self._settings.backend, SIMULATOR))
        async with self._one_call():
            chosen = backend or self._settings.backend
            environment = await self._environment_on(chosen, judged=False)
            return await play_async(
                environment,
                policy,
                tier,
                seed,
                watch=lambda _action, _observation: self._count_window(environment),
            )

    @property
    def busy(self) -> bool:
        """Whether a call is running."""
        return self._calling.locked()

    @property
    def state(self) -> SREState:
        """Where the session is; never the truth."""
        return SREState() if self._environment is None else self._environment.state

    @property
    def observation(self) -> SREObservation:
        """The last one that the agent got. Raises EpisodeNotStarted, SessionBusy in a reset."""
        observation = self._running().episode.observation
        if observation is None:
            raise SessionBusy
        return observation

    def hidden_state(self) -> EpisodeRecord:
        """The truth. Raises EpisodeNotStarted."""
        return self._running().hidden_state()

    @property
    def episode(self) -> Episode:
        """What is played, the truth included. Raises EpisodeNotStarted."""
        return self._running().episode

    @cached_property
    def mcp_server(self) -> FastMCP:
        """The tools, made when they are first asked for."""
        return make_tools(self)

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name=NAME, description=DESCRIPTION, version=__version__)

    async def aclose(self) -> None:
        """Ends the mesh, once a running call has its answer. Idempotent."""
        self.closed = True
        async with self._calling:
            environment, self._environment = self._environment, None
            if environment is not None:
                await environment.aclose()
        self._monitoring.forget(str(self._session_id))
        self.news.publish()
        self.at_end()

    def close(self) -> None:
        """For environments without a session, which have nothing to end; others are `aclose`d."""
        assert self._environment is None, "a session's environment is closed by aclose"

    @asynccontextmanager
    async def _one_call(self) -> AsyncIterator[None]:
        if self._session_id is None:
            raise NotInSession
        if self._calling.locked():
            raise SessionBusy
        async with self._calling:
            if self.closed:
                raise EnvironmentClosed
            try:
                yield
            # Agents read this error: the text of a failure may name what is hidden.
            except Exception as error:
                if isinstance(error, SREError) and not isinstance(error, BackendError):
                    raise
                self._monitoring.count_failure()
                log.exception("session %s: the backend failed", self._session_id)
                raise EpisodeAbandoned from error

    def _count_window(self, environment: Environment) -> None:
        self._monitoring.count_window(str(self._session_id), environment.episode)
        self.news.publish()

    def _running(self) -> Environment:
        if self._environment is None:
            raise EpisodeNotStarted
        return self._environment

    async def _environment_on(self, backend: str, *, judged: bool = True) -> Environment:
        """The environment of this session, a new one where another backend is asked for."""
        if self._environment is None or backend != self.backend:
            make = self._make_backend(self._settings.model_copy(update={"backend": backend}))
            if self._environment is not None:
                await self._environment.aclose()
            if self._prepared is not None and backend == self._settings.backend:
                await self._prepared()
            self._environment = Environment(
                make,
                drawing(self._settings.fault),
                self._settings.record_dir if judged else None,
                secrecy=self._secrecy if judged else None,
            )
            self.backend = backend
        return self._environment

    def _check_backend(self, backend: object, allowed: Collection[str]) -> None:
        """Raises InvalidValue in judge mode, where no client chooses what is played on."""
        if self._secrecy is not None and backend is not None and backend not in allowed:
            raise InvalidValue("backend", backend, f"one of: {', '.join(allowed)} (judge mode)")
