"""Everything that can go wrong, as one tree.

SREError
|- UnknownName(field, value, valid)    a name nobody knows; `valid` lists those that exist
|- InvalidAction(field, reason, valid) an action that is not complete
|- InvalidValue(field, value, wanted)  a value of the wrong kind
|- EpisodeNotStarted                   step or state before reset
|- EpisodeOver(steps)                  step after done
|- EnvironmentClosed                   anything after close
|- SessionBusy                         a call while another one runs in the same session
|- UnknownSession(session_id)          a session that is not there, or no longer
`- BackendError                        the world itself failed
   |- MeshNotReady(what, timeout_s)    services did not serve in time
   |- ReplicaUnreachable(replica)      a replica's control port gave no answer
   |- StackUnavailable(what)           the stack of containers cannot be played in
   `- FaultNotInstalled(kind, missing) what should be impaired is not
"""

from collections.abc import Iterable

from chaos.controller import TargetUnreachable


class SREError(Exception):
    """Base of all errors raised by the environment."""


class UnknownName(SREError, ValueError):
    """A name that is not one of the known ones."""

    def __init__(self, field: str, value: object, valid: Iterable[str]) -> None:
        self.field, self.value, self.valid = field, value, tuple(valid)
        super().__init__(f"unknown {field} {value!r}; valid values: {', '.join(self.valid)}")


class InvalidAction(SREError, ValueError):
    """An action that lacks something."""

    def __init__(self, field: str, reason: str, valid: Iterable[str]) -> None:
        self.field, self.reason, self.valid = field, reason, tuple(valid)
        super().__init__(f"{field}: {reason}; valid values: {', '.join(self.valid)}")


class InvalidValue(SREError, ValueError):
    """A value that is not of the kind that is wanted."""

    def __init__(self, field: str, value: object, wanted: str) -> None:
        self.field, self.value, self.wanted = field, value, wanted
        super().__init__(f"{field} must be {wanted}, not {value!r}")


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
