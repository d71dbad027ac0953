"""Brings the backend into order while the server already answers. Plays nothing."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from orchestrator.backends import prepare
from orchestrator.errors import BackendError, BackendUnhealthy
from orchestrator.settings import Settings
from server.startup import backend_problem

START_TIMEOUT_S = 60.0
"""A stack of containers that starts is in order within it."""
LATE_WAIT_S = 5.0
"""How long a reset waits after that: a few attempts."""
log = logging.getLogger(__name__)


class Preparation:
    """One preparation of the backend of `settings`, from the start of the server on.

    It goes on until the backend is in order or the server ends. The log has each reason once.
    """

    def __init__(
        self,
        settings: Settings,
        timeout_s: float = START_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """timeout_s: how long after the start a reset waits for it."""
        self._settings, self._clock = settings, clock
        self._timeout_s, self._began_s = timeout_s, clock()
        self._task: asyncio.Task[None] | None = None
        self._logged = ""
        self.problem = ""
        """Why the last attempt failed, while it is under way."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self._began_s = self._clock()
        self._task = asyncio.create_task(self._prepare())
        try:
            yield
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def pending(self) -> bool:
        """Whether it is under way."""
        return self._task is not None and not self._task.done()

    @property
    def late(self) -> bool:
        """Whether it is under way for longer than a start takes."""
        return self.pending and self._left_s < 0.0

    async def wait(self) -> None:
        """Returns once it has ended. Raises BackendUnhealthy, with the reason, where that takes
        longer than `timeout_s` after the start and LATE_WAIT_S after the call.
        """
        if self._task is not None:
            await asyncio.wait([self._task], timeout=max(self._left_s, LATE_WAIT_S))
        if self.pending:
            reason = self.problem or f"not in order within {self._timeout_s:g} s of the start"
            raise BackendUnhealthy(reason)

    @property
    def _left_s(self) -> float:
        return self._began_s + self._timeout_s - self._clock()

    async def _prepare(self) -> None:
        try:
            await prepare(self._settings, self._failed)
        except Exception:  # a border: the server answers all the same, and its log has the error
            log.exception("the backend of %s was not prepared", self._settings.backend)

    def _failed(self, error: BackendError) -> None:
        self.problem = backend_problem(self._settings.backend, error)
        if self.problem != self._logged:  # each reason once, not each second
            self._logged = self.problem
            log.warning("%s; the server goes on trying", self.problem)
