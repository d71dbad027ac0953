"""A client of the chaos daemon, in this process, and what it asks for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from prometheus_client.parser import text_string_to_metric_families

from chaos.daemon.app import create_app
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import HEALED, LABEL_REASON, OUTAGES, ControlRoute
from sre_autopilot.world.topology import Service
from tests.chaos.fake_broker import FakeBroker

NAME, OTHER = str(ReplicaId(Service.USER_DB, 0)), str(ReplicaId(Service.PAYMENT_GATEWAY, 0))
LOOPBACK = "127.0.0.1"
TIMEOUT_S = 30.0
CUT = {"partitioned": 1.0, "cpu_fraction": 1.0}
STALLED = {"partitioned": 0.0, "cpu_fraction": 0.01}
WELL = {"partitioned": 0.0, "cpu_fraction": 1.0}
NO_END = {"ttl_s": 600.0}


class Api:
    """A client of the app."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def impair(self, name: str, body: object) -> httpx.Response:
        return await self.http.put(f"{ControlRoute.IMPAIRMENTS}/{name}", json=body)

    async def holding(self) -> object:
        return (await self.http.get(ControlRoute.IMPAIRMENTS)).json()

    async def healthy(self) -> bool:
        return (await self.http.get(ControlRoute.HEALTH)).status_code == 200

    async def counted(self) -> dict[str, float]:
        """The gauge by its name, and the counts of healings by their reasons."""
        page = (await self.http.get(ControlRoute.METRICS)).text
        samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
        return {
            sample.labels.get(LABEL_REASON, sample.name): sample.value
            for sample in samples
            if sample.name in (HEALED, OUTAGES)
        }

    async def none_impaired(self) -> bool:
        return (await self.counted())[OUTAGES] == 0.0


@asynccontextmanager
async def serving(broker: FakeBroker) -> AsyncIterator[Api]:
    app = create_app(broker.client)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://chaos.example") as http,
    ):
        yield Api(http)


async def until(condition: Callable[[], object]) -> None:
    """Waits for a condition, be it async or not."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            holds = condition()
            if await holds if asyncio.iscoroutine(holds) else holds:
                return
            await asyncio.sleep(0)
