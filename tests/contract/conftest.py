"""Every backend plays the same suite; the one that needs an engine, among the live tests."""

from collections.abc import Callable

import pytest

from chaos.fault import Fault
from deploy.local_stack import build, stack
from orchestrator.backends import BACKENDS, make_backend
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.environment import Environment
from orchestrator.settings import PREFIX, Settings
from tests.contract.story import Plot, Told, tell

FaultyMesh = Callable[..., Told]
STACK_STEP_SECONDS = "1"
"""Shorter than the stack's own: an hour's suite is played by nobody."""
MARKS = {DockerBackend.name: [pytest.mark.live]}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=MARKS.get(name, ())) for name in sorted(BACKENDS)],
)
def settings(request):
    """Of a backend that can be played in."""
    if request.param == DockerBackend.name:
        build()
        with stack() as up:
            yield Settings.from_env({**up.environ, f"{PREFIX}STEP_SECONDS": STACK_STEP_SECONDS})
    else:
        yield Settings(backend=request.param)


@pytest.fixture(scope="module")
def told(settings):
    """Plays a script against given faults on one mesh that the whole module shares."""
    faults: list[Fault] = []
    factory = make_backend(settings)
    with Environment(factory, draw_faults=lambda _tier, _seed: tuple(faults)) as environment:

        def play(*hidden, script=(), **plot):
            faults[:] = hidden
            return tell(environment, script, Plot(**plot))

        yield play
