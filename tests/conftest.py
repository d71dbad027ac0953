"""What every test shares: the event loop, which files share a worker, the count of plays."""

import gc

import pytest
from xdist.scheduler import LoadFileScheduling

PLAYS = "plays"
"""Property of a test's report: how many episodes it played until its check held."""


COMPILING_FILES = frozenset(
    f"tests/sre_autopilot/simulator/{file}"
    for file in (
        "gym/test_gymnasium.py",
        "numba_engine/test_engine.py",
        "numba_engine/test_vector_type.py",
    )
)
"""They play on the compiled engine: one worker compiles it, for some twenty seconds, not each."""


class FilesThatCompileTogether(LoadFileScheduling):
    """A worker takes a file at a time, and all files that compile as if they were one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "compiling" if file in COMPILING_FILES else file


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: object
) -> FilesThatCompileTogether | None:
    """Another way of distribution that was asked for on the command line is left as it is."""
    if config.getvalue("dist") != "loadfile":
        return None
    return FilesThatCompileTogether(config, log)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the services do."""
    return "asyncio"


def pytest_collection_finish() -> None:
    """The collector leaves alone what was collected: some 3,000 tests, held to the end anyway."""
    gc.collect()
    gc.freeze()


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
