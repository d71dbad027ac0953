"""All seven services in one interpreter, each on a port of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from services.process import INSTALL
from services.runtime.app import Runtime, create_data_port
from services.runtime.routing import RoutingTable
from sre_autopilot.world.topology import CALLS, ENTRY, USERS, Service
from tests.services.neighbours import listening


@dataclass
class Mesh:
    """Runtimes by service, the users' own, and where each replica 0 is."""

    runtimes: dict[Service, Runtime]
    users: Runtime
    addresses: dict[Service, str]

    def route(self, *broken: Service, away: frozenset[Service] = frozenset()) -> None:
        """Gives callers the addresses of callees but `away` ones, opens breakers of `broken`."""
        for caller, runtime in [*self.runtimes.items(), (None, self.users)]:
            callees = CALLS[caller] if caller else (ENTRY,)
            endpoints = {
                callee: {} if callee in away else {f"{callee}-0": self.addresses[callee]}
                for callee in callees
            }
            table = RoutingTable(
                endpoints=endpoints, open_breakers=frozenset(broken) & frozenset(callees)
            )
            runtime.routing.replace(table)


@asynccontextmanager
async def whole_mesh(make_runtime: Callable[[str], Runtime]) -> AsyncIterator[Mesh]:
    """A routed mesh."""
    async with AsyncExitStack() as serving:
        mesh = Mesh({}, make_runtime(USERS), {})
        for service in Service:
            runtime = mesh.runtimes[service] = make_runtime(f"{service}-0")
            entry = listening(create_data_port(runtime, INSTALL[service]))
            mesh.addresses[service] = await serving.enter_async_context(entry)
        mesh.route()
        yield mesh
