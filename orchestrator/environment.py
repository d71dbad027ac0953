"""The environment: reset, step, state. One loop over any backend; what is hidden stays here."""

import secrets
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from chaos import tiers
from chaos.controller import Controller
from chaos.fault import Impairments
from orchestrator.backends.base import Backend
from orchestrator.episode import Episode, Plan
from orchestrator.errors import (
    BackendError,
    EnvironmentClosed,
    EpisodeNotStarted,
    EpisodeOver,
    FaultNotInstalled,
)
from orchestrator.exit import close_at_exit
from orchestrator.lapses import Lapses
from orchestrator.reconcile import reconcile, routing_of
from orchestrator.recorder import Recorder
from orchestrator.secrecy import Secrecy
from orchestrator.validation import parse_id, parse_seed, parse_tier
from sre_autopilot import grading
from sre_autopilot.models import SREAction, SREObservation, SREState
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.vocabulary import Tier

T = TypeVar("T")
INSTALL_TRIES = 5


class Environment:
    """Seven services, a hidden fault, and at most 30 steps to bring the SLA back.

    ### Action space
    `SREAction(action, service_id)`: restart, scale_up, circuit_break, rollback (each on one
    service) and wait.

    ### Observation space
    `SREObservation`: noisy, late, partly lost metrics of every service, edges seen in spans, the
    last actions, the budget. Never the tier, the fault or its root.

    ### Rewards
    0.0 until the last step, then the grader's score in [0.01, 0.99].

    ### Starting state
    A fresh mesh with the fault of (tier, seed) installed; the first observation is a window of it.

    ### Episode end
    After 30 steps, or when every fault is cured and all SLAs were truly met for three windows.

    ### Arguments
    backend: makes the world; called at the first reset only, so that construction costs nothing.
    draw_faults: tier and seed -> hidden faults (default: the five tiers).
    record_dir: folder for the records of episodes.
    secrecy: on a judged server, what makes other seeds of those asked for, and secret keys.

    Async methods end in `_async`; the sync ones run them on a loop of the environment's own. Use
    one kind only. Not safe for concurrent calls.
    """

    def __init__(
        self,
        backend: Callable[[], Backend],
        draw_faults: tiers.DrawFaults = tiers.draw_faults,
        record_dir: Path | None = None,
        *,
        secrecy: Secrecy | None = None,
    ) -> None:
        self._make_backend = backend
        self._draw_faults = draw_faults
        self._record_dir = record_dir
        self._secrecy = secrecy
        self._backend: Backend | None = None
        self._controller: Controller | None = None
        self._episode: Episode | None = None
        self._recorder: Recorder | None = None
        self._lapses = Lapses()
        self._portal_context: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._closed = False

    async def reset_async(
        self,
        seed: int | None = None,
        task_tier: str = Tier.EASY,
        episode_id: str | None = None,
        policy: str | None = None,
        *,
        episode_key: int = 0,
    ) -> SREObservation:
        """Starts an episode on a fresh mesh; one still running is abandoned and recorded so.

        episode_key: a record's, to play an episode of a judged server again; such a server itself
            ignores it.

        Raises UnknownName (task_tier), InvalidValue (seed, episode_id), MeshNotReady,
        FaultNotInstalled, EnvironmentClosed.
        """
        if self._closed:
            raise EnvironmentClosed
        tier = parse_tier(task_tier)
        seed = parse_seed(seed)
        seed = secrets.randbelow(2**31) if seed is None else seed
        if self._secrecy is not None:
            seed, episode_key = self._secrecy.seed(tier, seed), self._secrecy.episode_key()
        episode_id = uuid.uuid4().hex if episode_id is None else parse_id("episode_id", episode_id)
        await self._end_episode()
        backend = self._backend = self._backend or self._make_backend()
        faults = self._draw_faults(tier, seed)
        plan = Plan(episode_id, seed, tier, faults, backend.name, policy, episode_key)
        self._episode = episode = Episode(plan)
        async with self._abandoned_on_failure():
            await backend.launch(plan.visible_seed)
            await backend.route(routing_of(episode.deployment, 0, frozenset()))
            self._controller, self._lapses = Controller(backend), Lapses()
            await self._install(episode)
            return await self._measure(episode, time.monotonic())

    async def step_async(
        self, action: SREAction | Mapping[str, Any], *, refusal: str | None = None
    ) -> SREObservation:
        """Applies one action and observes one window.

        refusal: why `action`, a wait, stands for one that could not be read: the agent sees it as
            `last_action_error`.

        Raises UnknownName or InvalidAction (nothing happened, no step is used), EpisodeNotStarted,
        EpisodeOver, BackendError.
        """
        episode, backend = self._running()
        action = SREAction.parse(action)
        if episode.done:
            raise EpisodeOver(episode.step)
        started = time.monotonic()
        before = episode.deployment
        episode.take(action, refusal)
        async with self._abandoned_on_failure():
            await reconcile(backend, before, episode.deployment, episode.step)
            await self._apply_impairments(episode)
            return await self._measure(episode, started)

    async def aclose(self) -> None:
        """Ends the episode and everything that the environment started. Idempotent."""
        self._closed = True
        backend, self._backend = self._backend, None
        async with AsyncExitStack() as at_the_end:
            if backend is not None:
                at_the_end.push_async_callback(backend.aclose)
            await self._end_episode()

    @property
    def step_seconds(self) -> float:
        """Length of a window. Raises EpisodeNotStarted."""
        return self._running()[1].step_seconds

    @property
    def state(self) -> SREState:
        """Where the session is; says nothing of the fault."""
        if self._episode is None:
            return SREState()
        plan = self._episode.plan
        return SREState(
            episode_id=plan.episode_id,
            step_count=self._episode.step,
            done=self._episode.done,
            backend=plan.backend,
        )

    def hidden_state(self) -> grading.EpisodeRecord:
        """The truth: faults, cures, telemetry before noise. Never hand it to an agent.

        Raises EpisodeNotStarted.
        """
        return self.episode.record()

    @property
    def episode(self) -> Episode:
        """The episode that runs or has just ended. Raises EpisodeNotStarted."""
        if self._episode is None:
            raise EpisodeNotStarted
        return self._episode

    def reset(self, **arguments: Any) -> SREObservation:
        """As `reset_async`."""
        return self.run(lambda: self.reset_async(**arguments))

    def step(self, action: SREAction | Mapping[str, Any]) -> SREObservation:
        """As `step_async`."""
        return self.run(lambda: self.step_async(action))

    def close(self) -> None:
        """As `aclose`."""
        if self._portal_context is None:
            self._closed = True
            return
        try:
            self.run(self.aclose)
        finally:
            self._portal_context.__exit__(None, None, None)
            self._portal_context = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` returns, run on the environment's own loop."""
        if self._portal_context is None:
            if self._closed:
                raise EnvironmentClosed
            close_at_exit(self)
            self._portal_context = start_blocking_portal()
            self._portal = self._portal_context.__enter__()
        assert self._portal is not None
        return self._portal.call(call)

    def _running(self) -> tuple[Episode, Backend]:
        if self._closed:
            raise EnvironmentClosed
        if self._backend is None:
            raise EpisodeNotStarted
        return self.episode, self._backend

    async def _install(self, episode: Episode) -> None:
        """Applies the impairments of step 0 until they are in force: on a busy machine a process
        may be late with one. Raises FaultNotInstalled after INSTALL_TRIES.
        """
        expected = episode.impairments()
        for _ in range(INSTALL_TRIES):
            in_force = await self._apply_impairments(episode)
            missing = [
                f"{target} has {in_force[target]}, not {impairments}"
                for target, impairments in expected.items()
                if in_force[target] != impairments
            ]
            if not missing:
                return
        kinds = "+".join(fault.kind for fault in episode.plan.faults)
        raise FaultNotInstalled(kinds, "; ".join(missing))

    async def _apply_impairments(self, episode: Episode) -> Mapping[ReplicaId, Impairments | None]:
        assert self._controller is not None
        desired = {**self._lapses.to_heal(), **episode.impairments()}
        return await self._controller.apply(desired, episode.step)

    async def _measure(self, episode: Episode, started: float) -> SREObservation:
        """Lets the window pass, records it, and brings back what died or was held out in it."""
        assert self._backend is not None
        open_breakers = episode.deployment.open_breakers(episode.step)
        window = await self._backend.observe(episode.step, open_breakers)
        observation = episode.observe(window, time.monotonic() - started)
        dead = frozenset(self._backend.dead())
        for replica, release in episode.end_window(dead).items():
            await self._backend.start(replica, release)
        await self._backend.route(routing_of(episode.deployment, episode.step, without=dead))
        self._recorder = self._recorder or Recorder(self._record_dir, episode.record())
        self._recorder.step(episode.steps[-1])
        self._lapses.check(window, episode.problems)
        if episode.done:
            await self._end_episode()
        return observation

    @asynccontextmanager
    async def _abandoned_on_failure(self) -> AsyncIterator[None]:
        """A world that failed takes its episode with it: nothing half done stays behind."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, BackendError) and self._episode is not None:
                self._episode.problems.append(str(error))
            backend, self._backend = self._backend, None
            controller, self._controller = self._controller, None
            async with AsyncExitStack() as at_the_end:
                if backend is not None:
                    at_the_end.push_async_callback(backend.aclose)
                if controller is not None:
                    await controller.stop()
                await self._end_episode()
            self._episode = None
            raise

    async def _end_episode(self) -> None:
        """Heals the mesh and closes the record; the episode stays to be asked about."""
        if self._controller is not None:
            await self._controller.aclose()
            self._controller = None
        if self._recorder is not None and self._episode is not None:
            self._recorder.end(self._episode.record())
            self._recorder = None
