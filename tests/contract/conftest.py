"""One suite for every backend: whole on the simulator, in parts on real meshes.

What runs where: every row on the simulator, and on processes the rows marked `quick`, belong to the
quick suite; the other rows on processes and every row on containers belong to the live suite.
"""

from collections.abc import Callable, Iterator, Sequence

import pytest

from chaos.fault import Fault
from deploy.local_stack import build, stack
from orchestrator.backends import BACKENDS, make_backend
from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from orchestrator.settings import PREFIX, Settings
from tests.conftest import PLAYS
from tests.contract.played_episode import Limits, PlayedEpisode, play_script

Play = Callable[..., PlayedEpisode]
BestOfThree = Callable[[Callable[[], bool]], bool]
STACK_STEP_SECONDS = "1"
"""Two thirds of the stack's own window: the whole table takes a quarter of an hour as it is."""
MOST_PLAYS = 3


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Moves rows to the live suite, before pytest deselects by marks."""
    for item in items:
        # Other tests have fixtures of that name, too, which are not parametrised by backends.
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        backend = parameters.get("settings")
        is_quick = item.get_closest_marker("quick") is not None
        if backend == DockerBackend.name or (backend == ProcessBackend.name and not is_quick):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session", params=sorted(BACKENDS))
def settings(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings of a backend that can be played in, a stack of containers started for it."""
    if request.param == DockerBackend.name:
        build()
        with stack() as running:
            yield Settings.from_env(
                {**running.environ, f"{PREFIX}STEP_SECONDS": STACK_STEP_SECONDS}
            )
    else:
        yield Settings(backend=request.param)


@pytest.fixture(scope="session")
def play(settings: Settings) -> Iterator[Play]:
    """Plays a script against the faults named, on one mesh for the whole session."""
    hidden_faults: list[Fault] = []
    backend = make_backend(settings)
    with Environment(backend, draw_faults=lambda _tier, _seed: tuple(hidden_faults)) as environment:

        def play_episode(*faults: Fault, script=(), **limits) -> PlayedEpisode:
            hidden_faults[:] = faults
            return play_script(environment, dict(script), Limits(**limits))

        yield play_episode


@pytest.fixture
def best_of_three(record_property: Callable[[str, object], None]) -> BestOfThree:
    """Asks a check up to three times, and notes in the report how often it was asked.

    A window holds half a dozen calls of some services. A busy machine may lose two of them once,
    hardly in three plays; what a fault does, it does in every play.
    """

    def holds(check: Callable[[], bool]) -> bool:
        for plays in range(1, MOST_PLAYS + 1):
            if check():
                record_property(PLAYS, plays)
                return True
        return False

    return holds
