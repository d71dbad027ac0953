"""What a process counts about itself."""

import time

import pytest

from services.runtime.metrics import Metrics
from sre_autopilot.world.signals import (
    CPU_SECONDS,
    DURATION_BUCKETS_S,
    MEMORY_BYTES,
    SERVER_DURATION,
)
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.topology import CALL_TIMEOUT_S, USER_TIMEOUT_S
from tests.services.neighbours import sample


def test_memory_and_cpu_are_read_when_asked() -> None:
    registry = Metrics().registry
    before = sample(registry, CPU_SECONDS)
    burnt = time.process_time() + 0.02
    while time.process_time() < burnt:
        pass
    assert sample(registry, CPU_SECONDS) - before >= 0.02
    ballast = bytearray(b"\xa5") * (8 << 20)
    assert sample(registry, MEMORY_BYTES) > len(ballast)


def test_the_memory_of_the_runtime_is_left_out() -> None:
    ballast = bytearray(b"\xa5") * (8 << 20)
    whole = sample(Metrics().registry, MEMORY_BYTES)
    own = sample(Metrics(runtime_memory_mb=5).registry, MEMORY_BYTES)
    assert whole - own == pytest.approx(5 << 20, abs=1 << 20)
    assert sample(Metrics(runtime_memory_mb=1 << 20).registry, MEMORY_BYTES) == 0.0
    assert ballast


def test_every_bound_that_is_judged_by_is_a_bucket() -> None:
    assert {P99_LIMIT_MS / 1000.0, CALL_TIMEOUT_S, USER_TIMEOUT_S} <= set(DURATION_BUCKETS_S)
    metrics = Metrics()
    metrics.served.labels("/", 200).observe(0.2)
    assert f'{SERVER_DURATION}_bucket{{http_response_status_code="200"' in metrics.page().decode()


def test_two_processes_in_one_interpreter_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.shed.inc()
    assert b"shed_total 1.0" in one.page()
    assert b"shed_total 0.0" in two.page()
