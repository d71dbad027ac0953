"""`sre-autopilot serve`: the HTTP server. Its settings are the variables SRE_..."""

import os
from typing import Annotated

import typer

from sre_autopilot.cli.options import BackendOption


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    backend: BackendOption = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that serve together (simulator only).")
    ] = 1,
) -> None:
    """Serve the environment over HTTP, WebSocket and MCP until interrupted.

    Other settings are environment variables: SRE_MAX_SESSIONS, SRE_RECORD_DIR, SRE_METRICS_PORT ...

    Example:
      sre-autopilot serve --port 8000
      sre-autopilot serve --backend simulator --host 127.0.0.1
      sre-autopilot serve --backend simulator --workers 4
    """
    from orchestrator.settings import PREFIX, Settings
    from sre_autopilot.cli.output import messages_console

    if backend is not None:
        os.environ[f"{PREFIX}BACKEND"] = backend
    from server.app import run
    from server.uvicorn_options import check_port

    check_port(host, port)
    folder = Settings.from_env(os.environ).record_dir
    kept = f"not kept ({PREFIX}RECORD_DIR names a folder)" if folder is None else f"in {folder}"
    where = f"http://localhost:{port}/web" if port else "/web at the address below"
    line = f"console: {where}; records: {kept}"
    messages_console().print(line, soft_wrap=True, markup=False)
    run(host, port, workers)
