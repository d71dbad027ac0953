"""What a server says when it starts: its mode, and a backend that cannot be played in."""

import logging
from collections.abc import Iterator

from orchestrator.backends import BACKENDS
from orchestrator.errors import BackendError
from orchestrator.settings import DOCKER, PROCESS, Mode, Settings, variable

log = logging.getLogger(__name__)


def log_to_stderr() -> None:
    """What this package has to say, from INFO on."""
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    logging.getLogger(__package__).setLevel(logging.INFO)


def say_mode(settings: Settings) -> None:
    """One warning in develop mode, which says what is open; in judge mode a line, and warnings of
    what its operator may miss later.
    """
    mode = variable("mode")
    if settings.mode is Mode.DEVELOP:
        log.warning(
            "%s=%s, NOT FOR JUDGING AGENTS: %sclients choose the seed, from which all that is "
            "hidden follows, and which can be read off what they see; they name the sessions and "
            "the backend. %s=%s closes all of it",
            mode,
            settings.mode,
            "".join(_open_for_want_of_a_token(settings)),
            mode,
            Mode.JUDGE,
        )
        return
    log.info("%s=%s: what is hidden needs the token", mode, settings.mode)
    if settings.record_dir is None:
        name = variable("record_dir")
        log.warning("%s is not set: no judged episode can be graded or played again later", name)
    if settings.secret is None:
        name = variable("secret")
        log.warning("%s is not set: a seed is another story after the next start", name)
    if settings.backend in (PROCESS, DOCKER):
        log.warning(
            "whoever has a shell on this machine sees, as any user, how much memory and CPU the "
            "services take and how many connections they hold, which tells faults: let agents play "
            "from another machine, or from a container"
        )


def _open_for_want_of_a_token(settings: Settings) -> Iterator[str]:
    if settings.state_token is None:
        yield f"{variable('state_token')} is not set, so that /state shows what is hidden; "
    if settings.backend == DOCKER and settings.mesh_token is None:
        yield f"{variable('mesh_token')} is not set, so that traffic within the stack is open; "


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
