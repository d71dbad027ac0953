"""What every test shares: the event loop of async tests, and the count of repeated plays."""

import gc

import pytest

PLAYS = "plays"
"""Property of a test's report: how many episodes it played until its check held."""


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
