"""Runtimes made for a test and ended with it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.runtime.app import Runtime
from services.runtime.spec import ProcessSpec
from sre_autopilot.world.vocabulary import Release

TOKEN = "a-token-of-the-mesh"
"""Which ports ask for, and callers send, where a test gives it to a runtime."""
MakeRuntime = Callable[..., Runtime]


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """Every span that ended in any of the test's runtimes."""
    return InMemorySpanExporter()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets callers wait long, so that a busy machine fails no call."""
    for time_out in ("CALL_TIMEOUT_S", "USER_TIMEOUT_S"):
        monkeypatch.setattr(f"services.runtime.app.{time_out}", 10.0)


@pytest.fixture
async def make_runtime(tmp_path: Path, spans: InMemorySpanExporter) -> AsyncIterator[MakeRuntime]:
    """Makes the runtime of a process by its name."""
    made: list[Runtime] = []

    def make(name: str, seed: int = 7, token: str | None = None) -> Runtime:
        runtime = Runtime(ProcessSpec(name, Release.CURRENT, seed, tmp_path, token=token))
        runtime.tracing.provider.add_span_processor(SimpleSpanProcessor(spans))
        made.append(runtime)
        return runtime

    yield make
    for runtime in made:
        async with runtime.running():
            pass  # ends what it left open
        runtime.tracing.shutdown()
