"""Interpreters of impairments and actions: one folder a world, and the one switch between them."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from orchestrator.backends.base import Backend
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.backends.simulator import NAME as SIMULATOR
from orchestrator.errors import BackendError, UnknownName
from orchestrator.settings import Settings

RETRY_S = 1.0
PREPARE_TIMEOUT_S = 60.0
log = logging.getLogger(__name__)


def _simulator(settings: Settings) -> Backend:
    # Late, for it needs NumPy, whose threads no process may have that is to be forked.
    from orchestrator.backends.simulator.backend import SimulatorBackend  # noqa: PLC0415

    return SimulatorBackend.of(settings)


BACKENDS: Mapping[str, Callable[[Settings], Backend]] = {
    ProcessBackend.name: ProcessBackend.of,
    DockerBackend.name: DockerBackend,
    SIMULATOR: _simulator,
}


def make_backend(settings: Settings) -> Callable[[], Backend]:
    """A factory of the world that the settings name; calling it costs nothing yet.

    Raises UnknownName.
    """
    if settings.backend not in BACKENDS:
        raise UnknownName("backend", settings.backend, BACKENDS)
    return partial(BACKENDS[settings.backend], settings)


async def prepare(settings: Settings) -> None:
    """Returns once a world that is there before its players is in order; tries for a minute.

    The other worlds are made when they are played in. Raises BackendError.
    """
    if settings.backend != DockerBackend.name:
        return
    give_up_s = time.monotonic() + PREPARE_TIMEOUT_S
    stack = DockerBackend(settings)
    try:
        while True:
            try:
                await stack.reconcile()
                return
            except BackendError as error:
                if time.monotonic() > give_up_s:
                    raise
                log.warning("the stack is not in order yet: %s", error)
            await asyncio.sleep(RETRY_S)
    finally:
        await stack.aclose()
