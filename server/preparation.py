"""Brings the backend into order while the server already answers. Plays nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.backends import PREPARE_TIMEOUT_S, prepare
from orchestrator.errors import BackendError, BackendUnhealthy
from orchestrator.settings import Settings
from server.startup import backend_problem

log = logging.getLogger(__name__)


class Preparation:
    """One preparation of the backend of `settings`, from the start of the server on.

    Where it fails the log says why, and the first reset tries by itself.
    """

    def __init__(self, settings: Settings, timeout_s: float = PREPARE_TIMEOUT_S) -> None:
        """timeout_s: how long a reset waits for it."""
        self._settings = settings
        self._timeout_s = timeout_s
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
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

    async def wait(self) -> None:
        """Returns once it has ended, well or not. Raises BackendUnhealthy after `timeout_s`."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=self._timeout_s)
        if self.pending:
            raise BackendUnhealthy(f"not in order within {self._timeout_s:g} s of the start")

    async def _prepare(self) -> None:
        try:
            await prepare(self._settings)
        except BackendError as error:
            log.error("%s", backend_problem(self._settings.backend, error))
