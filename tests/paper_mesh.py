"""A mesh on paper: a deterministic backend, so that loop and policies are tested in no time.

Rough on purpose: it knows the direction of every effect, not its size. It is no simulator.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from chaos.fault import NO_IMPAIRMENTS, Impairments
from orchestrator.backends.base import Routing
from orchestrator.telemetry.window import EdgeCall, ServiceWindow, Window
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.draws import uniform
from sre_autopilot.world.sla import Calls
from sre_autopilot.world.topology import CALLS, ENTRY, LIMITS, POOL_SIZE, Service
from sre_autopilot.world.vocabulary import OOM_EXIT_CODE, Release

HEALTHY_P99_MS = {
    Service.API_GATEWAY: 70.0,
    Service.AUTH_SERVICE: 30.0,
    Service.PRODUCT_SERVICE: 30.0,
    Service.ORDER_SERVICE: 60.0,
    Service.USER_DB: 18.0,
    Service.INVENTORY_DB: 20.0,
    Service.PAYMENT_GATEWAY: 35.0,
}
CALLS_PER_WINDOW = {
    Service.API_GATEWAY: 20,
    Service.AUTH_SERVICE: 10,
    Service.PRODUCT_SERVICE: 10,
    Service.ORDER_SERVICE: 6,
    Service.USER_DB: 10,
    Service.INVENTORY_DB: 16,
    Service.PAYMENT_GATEWAY: 6,
}
SHARE_OF_CALLER = {Service.API_GATEWAY: 0.4, Service.ORDER_SERVICE: 0.9}
HEALTHY_MEMORY_MB = 28.0
HEALTHY_CPU_PCT = 12.0
TIMEOUT_MS = 250.0
WAIT_MS_BY_FREE_CONNECTIONS = {2: 60.0, 1: 150.0}


class PaperMesh:
    """Keeps which replicas run and what impairs them; computes a window in one go."""

    name = "paper"
    step_seconds = 0.0

    def __init__(self) -> None:
        self.running: dict[ReplicaId, Release] = {}
        self.leaked_mb: dict[ReplicaId, float] = {}
        self.impaired: dict[ReplicaId, Impairments] = {}
        self.leaked_at: dict[ReplicaId, int] = {}
        self.killed: dict[ReplicaId, int] = {}
        self.routing = Routing({}, ())
        self.seed = 0
        self.launches = 0
        self.closed = False

    async def launch(self, seed: int) -> None:
        self.__init__()  # type: ignore[misc]
        self.seed = seed
        for service in Service:
            await self.start(ReplicaId(service, 0), Release.CURRENT)

    async def start(self, replica: ReplicaId, release: Release) -> None:
        self.running[replica] = release
        self.leaked_mb[replica] = 0.0
        self.impaired.pop(replica, None)
        self.leaked_at.pop(replica, None)
        self.killed.pop(replica, None)

    async def restart(self, replica: ReplicaId) -> None:
        await self.start(replica, self.running[replica])

    async def stop(self, replica: ReplicaId) -> None:
        self.running.pop(replica, None)

    async def ready(self, replicas: frozenset[ReplicaId]) -> None:
        assert replicas <= self.running.keys() | self.killed.keys()

    def dead(self) -> Mapping[ReplicaId, int]:
        return dict(self.killed)

    async def route(self, routing: Routing) -> None:
        self.routing = routing

    async def apply(
        self, target: ReplicaId, impairments: Impairments, step: int, ttl_s: float
    ) -> Impairments | None:
        if target not in self.running:
            return None
        self.impaired[target] = impairments
        if self.leaked_at.get(target) != step:
            self.leaked_at[target] = step
            self.leaked_mb[target] += impairments.memory_leak_mb
        limit_mb = LIMITS[target.service].memory_limit_mb
        if HEALTHY_MEMORY_MB + self.leaked_mb[target] > limit_mb:
            await self.stop(target)
            self.killed[target] = OOM_EXIT_CODE
            return None
        return impairments

    async def observe(self, step: int, open_breakers: Collection[Service] = ()) -> Window:
        seen: dict[Service, tuple[float, float | None]] = {}
        for service in reversed(Service):
            seen[service] = self._service(service, seen)
        services = {}
        edges: list[EdgeCall] = []
        for service in Service:
            window, failed = self._window(service, seen[service], step)
            services[service] = replace(window, breaker_open=service in open_breakers)
            edges += self._edges(service, seen[service][1], failed)
        return Window(step, services, tuple(edges))

    async def aclose(self) -> None:
        self.closed = True
        self.running.clear()

    def _service(
        self, service: Service, seen: Mapping[Service, tuple[float, float | None]]
    ) -> tuple[float, float | None]:
        """Share of failed calls and p99; a p99 of None where every call is refused."""
        serving = self.routing.endpoints[service]
        alive = [r for r in serving if r in self.running]
        if not alive:
            return 1.0, None
        own = [self._replica(replica) for replica in alive]
        answered = (1.0 - sum(lost for lost, _ in own) / len(own)) * len(alive) / len(serving)
        p99 = HEALTHY_P99_MS[service] + max(wait for _, wait in own)
        for callee in CALLS[service]:
            if callee not in self.routing.open_breakers:
                lost, callee_p99 = seen[callee]
                answered *= 1.0 - lost * SHARE_OF_CALLER.get(service, 1.0)
                p99 += max(0.0, (callee_p99 or 0.0) - HEALTHY_P99_MS[callee])
        timed_out = any(lost > 0 for lost, _ in own)
        return 1.0 - answered, TIMEOUT_MS if timed_out else min(p99, TIMEOUT_MS + 20.0)

    def _replica(self, replica: ReplicaId) -> tuple[float, float]:
        """Share of calls lost and extra p99 of one replica."""
        wrong = self.impaired.get(replica, NO_IMPAIRMENTS)
        starved = max(0.0, ((1.0 - wrong.cpu_fraction) * 500.0 - 230.0) / 500.0)
        lost = max(wrong.partitioned, wrong.drop_ratio, starved)
        held = sum(i.held_connections.get(str(replica), 0) for i in self.impaired.values())
        free = max(0, POOL_SIZE - held)
        if free == 0:
            return 1.0, TIMEOUT_MS
        return lost, WAIT_MS_BY_FREE_CONNECTIONS.get(free, 0.0)

    def _window(
        self, service: Service, seen: tuple[float, float | None], step: int
    ) -> tuple[ServiceWindow, int]:
        share, p99 = seen
        total = CALLS_PER_WINDOW[service]
        index = list(Service).index(service)
        failed = min(total, int(total * share + uniform(self.seed, 99, step, index)))
        replicas = [r for r in self.running if r.service is service]
        cpu = memory = None
        if replicas:
            wrong = [self.impaired.get(r, NO_IMPAIRMENTS) for r in replicas]
            cpu = HEALTHY_CPU_PCT * (1.0 - 0.5 * share) + max(i.neighbour_cpu_pct for i in wrong)
            leaked = max(self.leaked_mb[r] for r in replicas)
            memory = 100.0 * (HEALTHY_MEMORY_MB + leaked) / LIMITS[service].memory_limit_mb
        answered = HEALTHY_P99_MS[service] if p99 == TIMEOUT_MS else p99
        calls = Calls(total, failed, p99, answered if failed < total else None)
        return ServiceWindow(calls, cpu, memory), failed

    def _edges(self, service: Service, p99: float | None, failed: int) -> list[EdgeCall]:
        if service is ENTRY or service in self.routing.open_breakers:
            return []
        callers = [caller for caller, callees in CALLS.items() if service in callees]
        return [
            EdgeCall(callers[i % len(callers)], service, p99 or 0.0, i < failed, f"{i:032x}", True)
            for i in range(CALLS_PER_WINDOW[service])
        ]
