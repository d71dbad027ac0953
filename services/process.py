"""Entry of one process of the mesh: a replica's data port, or the users, and a control port.

Never forks and never starts another process: the caller of `serve` has done that.
"""

import asyncio
import contextlib
import gc
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import MappingProxyType

import uvloop
from starlette.types import ASGIApp

from services import (
    api_gateway,
    auth_service,
    inventory_db,
    order_service,
    payment_gateway,
    product_service,
    user_db,
)
from services.runtime.app import Install, Runtime, create_data_port
from services.runtime.control import create_control
from services.runtime.preload import preload
from services.runtime.server import Phases, PortServer, Stop, bind
from services.runtime.spec import ProcessSpec
from services.traffic import Traffic
from sre_autopilot.world.topology import Service

__all__ = ["ProcessSpec", "serve"]

COLLECTOR_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
HANG_UP_AFTER_S = 0.15
CONTROL_JOIN_TIMEOUT_S = 1.0

INSTALL: Mapping[Service, Install] = MappingProxyType(
    {
        Service.API_GATEWAY: api_gateway.install,
        Service.AUTH_SERVICE: auth_service.install,
        Service.PRODUCT_SERVICE: product_service.install,
        Service.ORDER_SERVICE: order_service.install,
        Service.USER_DB: user_db.install,
        Service.INVENTORY_DB: inventory_db.install,
        Service.PAYMENT_GATEWAY: payment_gateway.install,
    }
)
"""What each service adds to its app."""

preload()  # here, so that importing this module is all that a zygote has to do


def serve(spec: ProcessSpec, report_fd: int) -> None:
    """Serves both ports until SIGTERM; writes one ready line to `report_fd` once both accept."""
    uvloop.run(_serve(spec, report_fd))


async def _serve(spec: ProcessSpec, report_fd: int) -> None:
    loop = asyncio.get_running_loop()
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runtime = Runtime(spec, os.environ.get(COLLECTOR_VARIABLE) or None)
    async with _data_side(runtime, stop) as data_port, _control_side(runtime, stop) as control_port:
        gc.freeze()  # what exists now stays: the collector need not visit it
        ready = {
            "event": "ready",
            "name": spec.name,
            "pid": os.getpid(),
            "data_port": data_port,
            "control_port": control_port,
        }
        os.write(report_fd, json.dumps(ready).encode() + b"\n")
        await stop.wait()
    runtime.tracing.shutdown()


def _data_side(runtime: Runtime, stop: Stop) -> AbstractAsyncContextManager[int]:
    service = runtime.spec.service
    if service is None:
        return _users(runtime, stop)
    return _data_port(create_data_port(runtime, INSTALL[service]), runtime.spec, stop)


@asynccontextmanager
async def _users(runtime: Runtime, stop: Stop) -> AsyncIterator[int]:
    """The traffic generator, which has no data port."""
    traffic = asyncio.create_task(Traffic(runtime).run())
    traffic.add_done_callback(lambda _: stop.set())
    yield 0
    traffic.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await traffic  # it ends by itself only with an error


@asynccontextmanager
async def _data_port(app: ASGIApp, spec: ProcessSpec, stop: Stop) -> AsyncIterator[int]:
    """The port that other services call, in this loop. Ends when `stop` is set."""
    bound = bind(spec.host, spec.data_port)
    started = asyncio.Event()
    server = PortServer(app, bound, Phases(started.set, stop.wait))
    serving = asyncio.create_task(server.serve_bound())
    serving.add_done_callback(lambda _: stop.set())
    await started.wait()
    yield bound.getsockname()[1]
    asyncio.get_running_loop().call_later(HANG_UP_AFTER_S, server.hang_up)
    await serving


@asynccontextmanager
async def _control_side(runtime: Runtime, stop: Stop) -> AsyncIterator[int]:
    """The control port, in a thread and loop of its own: it works while the data loop stalls."""
    loop = asyncio.get_running_loop()
    bound = bind(runtime.spec.host, runtime.spec.control_port)
    started = asyncio.Event()
    phases = Phases(lambda: loop.call_soon_threadsafe(started.set), stop.wait)
    server = PortServer(create_control(runtime, loop), bound, phases)
    thread = threading.Thread(target=lambda: uvloop.run(server.serve_bound()), daemon=True)
    thread.start()
    await started.wait()
    yield bound.getsockname()[1]
    await asyncio.to_thread(thread.join, CONTROL_JOIN_TIMEOUT_S)
