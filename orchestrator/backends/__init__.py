"""Interpreters of impairments and actions: the registry of backends, and how one is made."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from orchestrator.backends.base import Backend, Checkable, Reconcilable
from orchestrator.errors import BackendError
from orchestrator.settings import Settings
from sre_autopilot.plugins import Registry, resolve

RETRY_S = 1.0
CHECK_TIMEOUT_S = 3.0

BACKENDS: Registry = {
    "process": "orchestrator.backends.process.backend:ProcessBackend",
    "docker": "orchestrator.backends.docker.backend:DockerBackend",
    "simulator": "sre_autopilot.simulator.backend:SimulatorBackend",
}
"""Data, not imports: NumPy starts threads, which a process that is to be forked must not have."""


class BackendClass(Protocol):
    """What a class of backends must offer to be played in."""

    def of(self, settings: Settings) -> Backend:
        """A backend as `settings` describe it; costs nothing until its `launch`."""
        ...


def load_backend(name: str) -> BackendClass:
    """A shipped backend by its name, or anybody's as "module:Class". Raises UnknownName."""
    return cast("BackendClass", resolve("backend", name, BACKENDS, required="of"))


def make_backend(settings: Settings) -> Callable[[], Backend]:
    """A factory of the backend that the settings name. Calling it costs nothing yet.

    Raises UnknownName.
    """
    return partial(load_backend(settings.backend).of, settings)


async def prepare(
    settings: Settings, report: Callable[[BackendError], None] = lambda _error: None
) -> None:
    """Brings the backend of `settings` into order where it stands before any episode begins.

    Tries until it is in order, as long as that takes: what it plays on may come back at any time.
    Returns at once for a backend that an episode starts by itself.

    report: gets the reason each time that an attempt fails.

    Raises UnknownName.
    """
    backend = make_backend(settings)()
    try:
        while isinstance(backend, Reconcilable):
            try:
                await backend.reconcile()
                return
            except BackendError as error:
                report(error)
            await asyncio.sleep(RETRY_S)
    finally:
        await backend.aclose()


async def check(settings: Settings) -> None:
    """Returns where an episode could begin on the backend of `settings`, or where it cannot tell.

    Raises BackendError, UnknownName; TimeoutError after CHECK_TIMEOUT_S.
    """
    backend = make_backend(settings)()
    try:
        if isinstance(backend, Checkable):
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await backend.check()
    finally:
        await backend.aclose()
