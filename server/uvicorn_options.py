"""The options that uvicorn was started with, checked before it does anything."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
from math import ceil

import click
import uvicorn

from orchestrator.errors import CannotListen
from orchestrator.settings import MAX_PORT
from server.connection_limits import LIMITED_HTTP, MAX_MESSAGE_BYTES
from sre_autopilot.errors import InvalidValue

log = logging.getLogger(__name__)


def check_port(host: str, port: int) -> None:
    """Raises CannotListen where the server could not listen there; uvicorn itself would find out
    only after everything else has started. Raises InvalidValue for what is no port.
    """
    if not 0 <= port <= MAX_PORT:
        raise InvalidValue("port", port, f"a whole number from 0 to {MAX_PORT}")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        raise CannotListen(host, port, error) from error


def refuse_several_workers() -> None:
    """Ends uvicorn where it has several processes import this module: a session lives in one of
    them, and calls would meet the others. Raises InvalidValue.
    """
    if multiprocessing.parent_process() is None:
        return
    uvicorn_options = uvicorn.main.make_context("uvicorn", sys.argv[1:], resilient_parsing=True)
    workers = uvicorn_options.params["workers"] or int(os.environ.get("WEB_CONCURRENCY", "1"))
    if workers > 1 and not uvicorn_options.params["reload"]:
        os.kill(os.getppid(), signal.SIGTERM)  # it would start another process in place of this
        raise InvalidValue(
            "workers",
            workers,
            "1 (--workers, WEB_CONCURRENCY): uvicorn's workers know nothing of sessions; start "
            f"several by python -m server.app --workers {workers}",
        )


def check_uvicorn_options(ping_timeout_s: float) -> None:
    """Where uvicorn's own command imports this module, checks the address of its options: uvicorn
    itself binds it only after the application has started. Raises CannotListen, InvalidValue.
    Without the limits on connections, or with less patience than `ping_timeout_s`, it goes on, and
    says so.

    With --reload or --workers, uvicorn binds it first, and imports this module in other processes.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.command is not uvicorn.main:
        return
    chosen = context.params
    if chosen["uds"] is None and chosen["fd"] is None:
        check_port(chosen["host"], chosen["port"])
    options = (
        (f"--http {LIMITED_HTTP}", LIMITED_HTTP in chosen["http"]),
        (f"--ws-max-size {MAX_MESSAGE_BYTES}", chosen["ws_max_size"] <= MAX_MESSAGE_BYTES),
        (f"--ws-ping-timeout {ceil(ping_timeout_s)}", chosen["ws_ping_timeout"] >= ping_timeout_s),
    )
    if missing := " ".join(option for option, is_there in options if not is_there):
        log.warning(
            "limits of connections are not as documented: start the server by python -m "
            "server.app, or with uvicorn's options %s",
            missing,
        )
