"""Interpreters of impairments and actions: one folder a world, and the one switch between them."""

import asyncio
import logging
import pkgutil
import time
from collections.abc import Callable, Mapping
from functools import partial

from orchestrator.backends.base import Backend
from orchestrator.errors import BackendError, UnknownName
from orchestrator.settings import Settings

RETRY_S = 1.0
PREPARE_TIMEOUT_S = 60.0
log = logging.getLogger(__name__)


BACKENDS: Mapping[str, str] = {
    "process": "orchestrator.backends.process.backend:ProcessBackend",
    "docker": "orchestrator.backends.docker.backend:DockerBackend",
    "simulator": "sre_autopilot.simulator.backend:SimulatorBackend",
}
"""Data, not imports: NumPy has threads, which no process may have that is to be forked."""


def make_backend(settings: Settings) -> Callable[[], Backend]:
    """A factory of the world that the settings name, or of anybody's as "module:Class".

    Calling it costs nothing yet. Raises UnknownName.
    """
    name = settings.backend
    if name not in BACKENDS and ":" not in name:
        raise UnknownName("backend", name, (*BACKENDS, "module:Class"))
    try:
        backend = pkgutil.resolve_name(BACKENDS.get(name, name))
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownName("backend", f"{name} ({error})", (*BACKENDS, "module:Class")) from error
    return partial(backend.of, settings)


async def prepare(settings: Settings) -> None:
    """Returns once a world that is there before its players is in order; tries for a minute.

    The other worlds are made when they are played in. Raises BackendError.
    """
    if settings.backend != "docker":
        return
    from orchestrator.backends.docker.backend import DockerBackend  # noqa: PLC0415

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
