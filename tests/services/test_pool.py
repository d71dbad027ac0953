"""A real pool over a real file: its size, its patience, its delay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Column, Integer, MetaData, Table, select, update

from services.runtime.draws import Draws, Purpose
from services.runtime.pool import Pool, PoolExhausted
from sre_autopilot.world.signals import POOL_CONNECTIONS, POOL_PENDING, POOL_TIMEOUTS
from sre_autopilot.world.topology import (
    POOL_CHECKOUT_TIMEOUT_S,
    POOL_SIZE,
    STORAGE_CONTENTION,
    STORAGE_DELAY_MEDIAN_MS,
)
from tests.services.neighbours import eventually, sample

pytestmark = pytest.mark.anyio

NUMBERS = Table(
    "numbers", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer)
)
ROWS = [{"id": 1, "n": 10}, {"id": 2, "n": 20}]


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def pool(tmp_path: Path, registry: CollectorRegistry) -> AsyncIterator[Pool]:
    pool = Pool(tmp_path / "numbers.sqlite", Draws(1), registry)
    await pool.open(NUMBERS, ROWS)
    yield pool
    await pool.aclose()


async def test_rows_are_read_and_changed(pool: Pool) -> None:
    assert await pool.change(update(NUMBERS).where(NUMBERS.c.id == 1).values(n=11)) == 1
    assert await pool.change(update(NUMBERS).where(NUMBERS.c.id == 9).values(n=11)) == 0
    rows = await pool.rows(select(NUMBERS.c.n).order_by(NUMBERS.c.id))
    assert [row["n"] for row in rows] == [11, 20]


async def test_a_change_is_there_for_every_connection(pool: Pool) -> None:
    async with pool.connection() as other:
        await pool.change(update(NUMBERS).where(NUMBERS.c.id == 2).values(n=21))
        result = other.execute(select(NUMBERS.c.n).where(NUMBERS.c.id == 2))
        assert result.scalar_one() == 21


async def test_the_file_is_made_anew_at_every_start(
    pool: Pool, tmp_path: Path, registry: CollectorRegistry
) -> None:
    await pool.change(update(NUMBERS).values(n=0))
    await pool.aclose()
    again = Pool(tmp_path / "numbers.sqlite", Draws(1), CollectorRegistry())
    await again.open(NUMBERS, ROWS)
    assert [row["n"] for row in await again.rows(select(NUMBERS.c.n))] == [10, 20]
    await again.aclose()


async def test_a_statement_holds_its_connection_for_the_storage_delay(
    pool: Pool, registry: CollectorRegistry
) -> None:
    statement = asyncio.create_task(pool.rows(select(NUMBERS)))
    await eventually(lambda: pool.checked_out() == 1)
    assert sample(registry, POOL_CONNECTIONS) == 1
    await statement
    assert pool.checked_out() == 0


async def test_each_checked_out_connection_slows_every_statement(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    medians_ms: list[float] = []

    def delay_s(draws: Draws, purpose: Purpose, median_ms: float, sigma: float) -> float:
        medians_ms.append(median_ms)
        return 0.0

    monkeypatch.setattr(Draws, "delay_s", delay_s)
    async with AsyncExitStack() as taken:
        for _ in range(POOL_SIZE):
            await pool.rows(select(NUMBERS))
            await taken.enter_async_context(pool.connection())
    slowed = [1.0 + STORAGE_CONTENTION * others for others in range(POOL_SIZE)]
    assert medians_ms == pytest.approx([STORAGE_DELAY_MEDIAN_MS * factor for factor in slowed])


async def test_a_call_waits_for_a_connection_and_gets_the_next_one(
    pool: Pool, registry: CollectorRegistry
) -> None:
    async with AsyncExitStack() as taken:
        for _ in range(POOL_SIZE):
            await taken.enter_async_context(pool.connection())
        waiting = asyncio.create_task(pool.rows(select(NUMBERS)))
        await eventually(lambda: sample(registry, POOL_PENDING) == 1)
        assert not waiting.done()
    await waiting
    assert sample(registry, POOL_PENDING) == 0


async def test_an_empty_pool_is_given_up_on(
    pool: Pool, registry: CollectorRegistry, anyio_backend: str
) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as taken:
        for _ in range(POOL_SIZE):
            await taken.enter_async_context(pool.connection())
        started = loop.time()
        with pytest.raises(PoolExhausted):
            await pool.rows(select(NUMBERS))
        assert loop.time() - started >= POOL_CHECKOUT_TIMEOUT_S - 0.01
        assert pool.checked_out() == POOL_SIZE
    assert sample(registry, POOL_TIMEOUTS) == 1
    assert sample(registry, POOL_PENDING) == 0
    await pool.rows(select(NUMBERS))


async def test_a_cancelled_statement_gives_its_connection_back(pool: Pool) -> None:
    statement = asyncio.create_task(pool.rows(select(NUMBERS)))
    await eventually(lambda: pool.checked_out() == 1)
    statement.cancel()
    await asyncio.wait({statement})
    assert statement.cancelled()
    await eventually(lambda: pool.checked_out() == 0)
    await pool.rows(select(NUMBERS))
