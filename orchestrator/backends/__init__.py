"""Interpreters of impairments and actions: one folder a world, and the one switch between them."""

from collections.abc import Callable, Mapping

from orchestrator.backends.base import Backend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.errors import UnknownName
from orchestrator.settings import Settings

BACKENDS: Mapping[str, type[ProcessBackend]] = {ProcessBackend.name: ProcessBackend}


def make_backend(settings: Settings) -> Callable[[], Backend]:
    """A factory of the world that the settings name; calling it costs nothing yet.

    Raises UnknownName.
    """
    if settings.backend not in BACKENDS:
        raise UnknownName("backend", settings.backend, BACKENDS)
    kind = BACKENDS[settings.backend]
    step_seconds = settings.step_seconds
    return kind if step_seconds is None else lambda: kind(step_seconds=step_seconds)
