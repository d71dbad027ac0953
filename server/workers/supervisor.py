"""Several workers as one server: the port, the shared memory, /metrics. Serves no request itself.

The supervisor owns the port: every worker has a socket of its own on it (SO_REUSEPORT), which the
supervisor holds open, so that connections to a worker that has died wait for the next one in its
place. Workers are forked, so that all of them share what was imported.
"""

import asyncio
import logging
import secrets
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial

import httpx
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from orchestrator.settings import Mode, Settings, variable
from server.connection_limits import BACKLOG, raise_open_files, uvicorn_limits
from server.metrics_door import serving_metrics
from server.startup import log_to_stderr, metrics_tokens, say_mode
from server.uvicorn_options import check_port
from server.workers.children import keep_alive
from server.workers.merged_metrics import MergedMetrics
from server.workers.place import METRICS_PATH, PID_HEADER, TOKEN_HEADER, Place
from server.workers.relay import UNLIMITED
from server.workers.shared_memory import MOST_WORKERS, SharedMemory
from services.runtime.spec import LOOPBACK
from sre_autopilot.capacity import MOST_SESSIONS, sessions_at_once
from sre_autopilot.errors import InvalidValue
from sre_autopilot.simulator import NAME as SIMULATOR

SHUTDOWN_TIMEOUT_S = 5
READ_TIMEOUT_S = 2.0
POLL_S = 0.05
SECRET_BYTES = 32
MakeApp = Callable[[Settings, Place], FastAPI]
log = logging.getLogger(__name__)


def supervise(settings: Settings, where: tuple[str, int], count: int, make_app: MakeApp) -> None:
    """Serves at `where`, host and port, by `count` workers until SIGTERM or SIGINT.

    Sessions at once: as set, else as many of each worker as one process carries.

    Raises InvalidValue, CannotListen.
    """
    check_workers(settings, count)
    check_port(*where)
    log_to_stderr()
    say_mode(settings)
    raise_open_files()
    if settings.mode is not Mode.DEVELOP and settings.secret is None:  # the same in all workers
        drawn = SecretStr(secrets.token_hex(SECRET_BYTES))
        settings = settings.model_copy(update={"secret": drawn})
    most = settings.max_sessions or min(MOST_SESSIONS, count * sessions_at_once(settings))
    memory = SharedMemory.create(most)
    public = _listeners(*where, count)
    own = [socket.create_server((LOOPBACK, 0), backlog=BACKLOG) for _ in range(count)]
    ports = tuple(listener.getsockname()[1] for listener in own)
    places = [Place(number, ports, memory) for number in range(count)]

    def died(number: int, status: int) -> None:
        lost = memory.lose(number)
        log.error(
            "process %d ended with status %d, %d sessions are lost; another takes its place",
            *(number, status, lost),
        )

    runs = [
        partial(_serve, settings, place, [public[place.number], own[place.number]], make_app)
        for place in places
    ]
    with ExitStack() as sockets:
        for listener in (*public, *own):
            sockets.enter_context(listener)
        keep_alive([*runs, partial(_watch, settings, places, public[0])], died)


def check_workers(settings: Settings, count: int) -> None:
    """Raises InvalidValue for a number of workers that these settings cannot have."""
    if not 1 <= count <= MOST_WORKERS:
        raise InvalidValue("workers", count, f"a whole number from 1 to {MOST_WORKERS}")
    if settings.backend != SIMULATOR and count > 1:
        reason = f"1, unless {variable('backend')} is {SIMULATOR}: a mesh belongs to one process"
        raise InvalidValue("workers", count, reason)


def _serve(
    settings: Settings, place: Place, listeners: list[socket.socket], make_app: MakeApp
) -> None:
    """A worker: the same application as a server of one process, and the door of the others."""
    config = uvicorn.Config(
        make_app(settings, place),
        log_level="warning",
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        **uvicorn_limits(settings.ping_timeout_s),
    )
    uvicorn.Server(config).run(sockets=listeners)


def _watch(settings: Settings, places: list[Place], public: socket.socket) -> None:
    """The last of the processes: says when all workers serve, and serves the metrics of all."""
    asyncio.run(_watching(settings, places, public))


async def _watching(settings: Settings, places: list[Place], public: socket.socket) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MergedMetrics(partial(read_metrics, places)))
    where = settings.metrics_host, settings.metrics_port
    saying = asyncio.create_task(_say_ready(places, public))
    async with serving_metrics(registry, *where, metrics_tokens(settings)):
        await stop.wait()
    saying.cancel()
    await asyncio.gather(saying, return_exceptions=True)


async def _say_ready(places: list[Place], public: socket.socket) -> None:
    """Once, when every worker answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=UNLIMITED) as client:
        for place in places:
            while True:
                with suppress(httpx.TransportError):
                    if (await client.get(f"{place.url(place.number)}/health")).is_success:
                        break
                await asyncio.sleep(POLL_S)
    host, port = public.getsockname()[:2]
    log.info("%d workers, running on http://%s:%d", len(places), host, port)


def read_metrics(places: list[Place]) -> Mapping[int, str]:
    """The page of each worker that answers in time, by its pid."""
    pages = {}
    headers = {TOKEN_HEADER: places[0].memory.token.hex()}
    with httpx.Client(trust_env=False, timeout=READ_TIMEOUT_S, headers=headers) as client:
        for place in places:
            with suppress(httpx.HTTPError):
                page = client.get(f"{place.url(place.number)}{METRICS_PATH}").raise_for_status()
                pages[int(page.headers[PID_HEADER])] = page.text
    return pages


def _listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """So many sockets on one address. Port 0 is a free one, the same for all."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made: list[socket.socket] = []
    for _ in range(count):
        at = made[0].getsockname()[1] if made else port
        listener = socket.create_server(
            (address[0], at), family=family, backlog=BACKLOG, reuse_port=True
        )
        made.append(listener)
    return made
