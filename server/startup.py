"""What a server says when it starts: its mode, and a backend that cannot be played in."""

import logging

from orchestrator.backends import BACKENDS
from orchestrator.errors import BackendError
from orchestrator.settings import Mode, Settings, variable

log = logging.getLogger(__name__)


def say_mode(settings: Settings) -> None:
    """One warning in develop mode, which says what is open; a line of information in judge mode."""
    if settings.mode is Mode.JUDGE:
        log.info("%s=%s: what is hidden needs the token", variable("mode"), settings.mode)
        return
    truth = (
        f"{variable('state_token')} is not set, so that /state shows every client what is hidden; "
        if settings.state_token is None
        else ""
    )
    log.warning(
        "%s=%s, NOT FOR JUDGING AGENTS: %sclients choose the seed, from which all that is hidden "
        "follows, and which can be read off what they see; they name the sessions and the backend. "
        "%s=%s closes all of it",
        variable("mode"),
        settings.mode,
        truth,
        variable("mode"),
        Mode.JUDGE,
    )


def backend_problem(backend: str, error: BackendError | TimeoutError) -> str:
    """Which setting chose the backend that is not in order, why it is not, and what to do."""
    reason = str(error) or "no answer in time"
    return (
        f"the backend of {variable('backend')}={backend} is not in order: {reason}; start "
        "what it plays on (a stack of containers: make up; docker compose ps shows it), or choose "
        f"another backend: {', '.join(BACKENDS)}"
    )


def metrics_tokens(settings: Settings) -> tuple[str, ...]:
    """What readers of /metrics may send: on a judged server the judge's token, or, as Prometheus in
    the stack does, the stack's.
    """
    if settings.mode is Mode.DEVELOP:
        return ()
    tokens = (settings.state_token, settings.mesh_token)
    return tuple(token.get_secret_value() for token in tokens if token is not None)
