"""Errors of episodes, sessions and backends. Those of bad input are in `sre_autopilot.errors`.

SREError
|- EpisodeNotStarted                   step or state before reset
|- EpisodeOver(steps)                  step after done
|- EnvironmentClosed                   anything after close
|- SessionBusy                         a call while another one runs in the same session
|- UnknownSession(session_id)          a session that is not there, or no longer
`- BackendError                        the backend failed
   |- MeshNotReady(what, timeout_s)    services did not serve in time
   |- ReplicaUnreachable(replica)      a replica's control port gave no answer
   |- StackUnavailable(what)           the stack of containers cannot be played in
   `- FaultNotInstalled(kind, missing) what should be impaired is not
"""

from chaos.controller import TargetUnreachable
from sre_autopilot.errors import SREError


class EpisodeNotStarted(SREError, RuntimeError):
    """Something was asked of an episode that has not begun."""

    def __init__(self) -> None:
        super().__init__("no episode is running; call reset first")


class EpisodeOver(SREError, RuntimeError):
    """A step after the last one."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        super().__init__(f"the episode ended after {steps} steps; call reset to start another")


class EnvironmentClosed(SREError, RuntimeError):
    """A call on a closed environment."""

    def __init__(self) -> None:
        super().__init__("the environment is closed; make a new one")


class SessionBusy(SREError, RuntimeError):
    """Two calls at once in one session."""

    def __init__(self) -> None:
        super().__init__("another call is running in this session; wait for its answer first")


class UnknownSession(SREError, LookupError):
    """A session that nobody began, or that is over."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(
            f"no session {session_id!r}: it was never begun, or ended after too long without a "
            "call; reset begins one"
        )


class BackendError(SREError, RuntimeError):
    """The world behind the environment failed."""


class MeshNotReady(BackendError):
    """Something did not get ready in time."""

    def __init__(self, what: str, timeout_s: float) -> None:
        self.what, self.timeout_s = what, timeout_s
        super().__init__(f"{what} was not ready within {timeout_s:g} s")


class ReplicaUnreachable(BackendError, TargetUnreachable):
    """A replica's control port gave no usable answer."""

    def __init__(self, replica: str, reason: str) -> None:
        self.replica, self.reason = replica, reason
        super().__init__(f"{replica}: control port unreachable: {reason}")


class StackUnavailable(BackendError):
    """The containers are not there, are not reachable, or belong to another session."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}; is the stack up (docker compose ps), and free?")


class FaultNotInstalled(BackendError):
    """A fault's impairments did not take hold."""

    def __init__(self, kind: str, missing: str) -> None:
        self.kind, self.missing = kind, missing
        super().__init__(f"fault {kind} is not installed: {missing}")
