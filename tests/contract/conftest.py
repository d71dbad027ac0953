"""Every backend that this machine can run plays the same suite; one that it cannot says why."""

from collections.abc import Callable

import pytest

from chaos.fault import Fault
from orchestrator.backends import BACKENDS, make_backend
from orchestrator.environment import Environment
from orchestrator.settings import Settings
from tests.contract.story import Plot, Told, tell

FaultyMesh = Callable[..., Told]


@pytest.fixture(scope="module", params=sorted(BACKENDS))
def backend(request):
    """The name of a backend."""
    return request.param


@pytest.fixture(scope="module")
def told(backend):
    """Plays a script against given faults on one mesh that the whole module shares."""
    faults: list[Fault] = []
    factory = make_backend(Settings(backend=backend))
    with Environment(factory, draw_faults=lambda _tier, _seed: tuple(faults)) as environment:

        def play(*hidden, script=(), **plot):
            faults[:] = hidden
            return tell(environment, script, Plot(**plot))

        yield play
