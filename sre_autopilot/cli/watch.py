"""`sre-autopilot watch`: a session of a running server, step by step, as its agent sees it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import httpx
import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection, connect

from sre_autopilot.cli.errors import FAILED, BadInput, fail, on_interrupt
from sre_autopilot.cli.output import messages_console, results_console
from sre_autopilot.cli.screen import screen
from sre_autopilot.loopback import client_options
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world.close_codes import CloseCode

WATCH = "/watch/"
REFUSED = frozenset(
    {
        CloseCode.NO_TOKEN,
        CloseCode.UNKNOWN_SESSION,
        CloseCode.LEASE_ENDED,
        CloseCode.SESSION_LOST,
        CloseCode.INVALID_VALUE,
    }
)
"""Codes that say, before the first step, that there is nothing to watch."""

Draw = Callable[[RenderableType], None]


def command(
    session: Annotated[
        str | None, typer.Argument(help="Its name or its URL (else the only session there is).")
    ] = None,
    *,
    url: Annotated[
        str, typer.Option(envvar="SRE_BASE_URL", help="The server.")
    ] = "http://127.0.0.1:8000",
    token: Annotated[
        str | None,
        typer.Option(envvar="SRE_STATE_TOKEN", help="The server's token, where it has one."),
    ] = None,
) -> None:
    """Watch a session of a server, live and from its first step, without changing it.

    Shows what the session's agent sees, never what is hidden. Ends with the session, or by Ctrl-C.

    Example:
      sre-autopilot watch
      sre-autopilot watch my-session --url http://localhost:8000
    """
    base, name = split_url(session) if session and "://" in session else (url, session)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    name = name or only_session(base, headers)
    with on_interrupt(lambda: f"you watch {name} no longer; it goes on"), _drawing() as draw:
        reason = watch_session(base, name, headers, draw)
    messages_console().print(f"{name}: {reason}", soft_wrap=True, markup=False)


def split_url(url: str) -> tuple[str, str | None]:
    """The server's address, and the session's name if the URL names one."""
    base, _, name = url.partition(WATCH)
    return base.rstrip("/"), name or None


def only_session(url: str, headers: Mapping[str, str]) -> str:
    """Raises BadInput where there is none, where there are several, or where nobody answers."""
    try:
        with httpx.Client(headers=headers, **client_options(url)) as client:
            answer = client.get(f"{url.rstrip('/')}/sessions")
            body = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise BadInput(f"no server of ours answers at {url}: {error}") from error
    if not answer.is_success:
        raise BadInput(f"{url}: {body.get('detail', answer.status_code)} (--token)")
    names = [session["session_id"] for session in body["sessions"]]
    if len(names) == 1:
        return str(names[0])
    if not names:
        raise BadInput(f"{url} has no session; begin an episode first")
    raise BadInput(f"name one of the sessions of {url}: {', '.join(names)}")


def watch_session(url: str, name: str, headers: Mapping[str, str], draw: Draw) -> str:
    """Draws every step until the session is over; why it is. Raises BadInput, typer.Exit."""
    address = url.rstrip("/").replace("http", "ws", 1) + WATCH + name
    # A session's agent may think for minutes; whether the server is there, pings ask.
    options: dict[str, Any] = {"proxy": None} if client_options(url) else {}
    try:
        with connect(address, additional_headers=headers, **options) as socket:
            return _draw_until_closed(socket, draw)
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
        raise fail(f"cannot watch {address}: {error}", FAILED) from error


def _draw_until_closed(socket: ClientConnection, draw: Draw) -> str:
    title, steps = "", 0
    try:
        for text in socket:
            message = json.loads(text)
            data = message["data"]
            if message["type"] == "episode":
                player = data["policy"] or "an agent"
                title = f"{data['session_id']}, {player}"
            else:
                steps += 1
                draw(_screen(title, data))
    except ConnectionClosed:
        pass  # its code and its reason are asked for below
    reason = socket.close_reason or "the server closed the connection"
    if not steps and socket.close_code in REFUSED:
        hint = " (--token)" if socket.close_code == CloseCode.NO_TOKEN else ""
        raise BadInput(f"{reason}{hint}")
    return reason


def _screen(title: str, step: Mapping[str, Any]) -> RenderableType:
    action = None if step["action"] is None else SREAction.parse(step["action"])
    table = screen(title, action, SREObservation.model_validate(step["observation"]))
    if step["done"]:
        score = f"the episode is over, its score is {step['reward']:.3f}"
        table.caption = f"{score}; waiting for the session's next one (Ctrl-C ends)"
    return table


@contextmanager
def _drawing() -> Iterator[Draw]:
    """On a terminal the newest step alone, which stays at the end; on a pipe one after another."""
    console = results_console()
    if not console.is_terminal:
        yield console.print
        return
    with Live(Text("waiting for the first step"), console=console, auto_refresh=False) as live:
        yield lambda drawing: live.update(drawing, refresh=True)
