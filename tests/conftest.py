"""What every test shares: the event loop, what Hypothesis minds, which files share a worker, the
count of plays.
"""

import functools
import gc
import ssl
from collections.abc import Generator, Iterator
from importlib.util import find_spec

import pytest
from xdist.scheduler import LoadFileScheduling

if find_spec("hypothesis"):  # trainers' environments have none
    from hypothesis import HealthCheck, settings

    # How long an example takes says how busy the machine is, and nothing of what is tested: only
    # pytest's own limit of time ends a test.
    settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("suite")

PLAYS = "plays"
"""Property of a test's report: how many episodes it played until its check held."""


SHARING = {
    "tests/architecture/": "the tree, parsed",
    "tests/packaging/": "the built distributions",
    "tests/sre_autopilot/simulator/gym/test_gymnasium.py": "the compiled engine",
    "tests/sre_autopilot/simulator/numba_engine/test_engine.py": "the compiled engine",
    "tests/sre_autopilot/simulator/numba_engine/test_vector_type.py": "the compiled engine",
}
"""Files, or folders of them, with what they make once a process, for seconds: one worker plays all
that share it, and makes it alone."""


BEGUN_FIRST = (
    "tests/sre_autopilot/simulator/gym/test_gymnasium.py",
    "tests/validation/test_openenv.py",
)
"""Files that take long and would come last, when the other workers have nothing left."""


class FilesThatShare(LoadFileScheduling):
    """A worker takes a file at a time, and all files that share something as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((what for path, what in SHARING.items() if file.startswith(path)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FilesThatShare | None:
    """Another way of distribution that was asked for on the command line is left as it is."""
    if config.getvalue("dist") != "loadfile":
        return None
    return FilesThatShare(config, log)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the services do."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """A client of HTTP reads all certificates of the system, for 30 to 50 ms of CPU, wherever it
    will call; here nearly all of them call this machine, without TLS.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", functools.cache(ssl.create_default_context))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The collector leaves alone what is collected: some 3,000 tests and all they import, held to
    the end anyway.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of BEGUN_FIRST before all others; otherwise the order stays."""
    items.sort(key=lambda item: not item.nodeid.startswith(BEGUN_FIRST))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says which checks held only in a second or third play of the mesh."""
    plays = {
        report.nodeid: int(str(value))
        for report in terminalreporter.getreports("passed")
        for name, value in report.user_properties
        if name == PLAYS
    }
    repeated = [f"{count} plays: {test}" for test, count in plays.items() if count > 1]
    if plays:
        terminalreporter.write_line(
            f"{len(plays)} checks may be played up to three times; {len(repeated)} needed it"
        )
    for line in repeated:
        terminalreporter.write_line(line)
