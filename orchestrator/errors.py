"""Errors of episodes, sessions and backends; `sre_autopilot.errors` has those of bad input.

SREError
|- EpisodeNotStarted                   step or state before reset
|- EpisodeOver(steps)                  step after done
|- EnvironmentClosed                   anything after close
|- SessionBusy                         a call while another one runs in the same session
|- UnknownSession(session_id)          a session that is not there
|  |- LeaseEnded(session_id, lease_s)  or no longer: it got no call for too long
|  `- SessionLost(session_id)          or no longer: its process has ended
|- CannotListen(host, port, reason)    the server cannot have its port
|- NotInSession                        an episode outside of any session
|- NoFreeSession(max_sessions)         no session is free for a graded episode
|- NotGradedYet(step)                  a score before the last step
|- UnknownRecord(record_id)            a record that is not there, or not over
|- NotReplayable(reason)               a record that no debrief can be made of
|- TooManyCalls(what, ..., wait_s)     one client, or all together, ask too often
`- BackendError                        the backend failed
   |- EpisodeAbandoned                 the same, in words that hide what is hidden from agents
   |- MeshNotReady(what, timeout_s)    services did not serve in time
   |- ReplicaUnreachable(replica)      a replica's control port gave no answer
   |- StackUnavailable(what)           the stack of containers cannot be played in
   |- BackendUnhealthy(what)           what an episode relies on is not in order, and stays so
   |- FaultNotInstalled(kind, missing) what should be impaired is not
   `- ImpairmentLost(replicas)         what should be impaired is not, for the second time
"""

import errno
import math

from chaos.controller import TargetUnreachable
from sre_autopilot.errors import SREError
from sre_autopilot.world.close_codes import CloseCode


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
    """A session that was never begun, or that is over."""

    close_code = CloseCode.UNKNOWN_SESSION
    """Of a socket that asks for it."""

    def __init__(self, session_id: str, why: str = "it was never begun, or was ended") -> None:
        self.session_id = session_id
        super().__init__(f"no session {session_id!r}: {why}; reset begins one")


class LeaseEnded(UnknownSession):
    """A session that got no call for as long as it is kept without one."""

    close_code = CloseCode.LEASE_ENDED

    def __init__(self, session_id: str, lease_s: float) -> None:
        self.lease_s = lease_s
        super().__init__(session_id, f"it ended after {lease_s:g} s without a call")


class SessionLost(UnknownSession):
    """A session that ended with the worker process in which it lived."""

    close_code = CloseCode.SESSION_LOST

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, "the process of the server in which it lived has ended")


class CannotListen(SREError, OSError):
    """The server cannot listen at the address of its settings."""

    def __init__(self, host: str, port: int, reason: OSError) -> None:
        self.host, self.port, self.reason = host, port, reason
        if reason.errno == errno.EADDRINUSE:
            text = (
                f"port {port} on {host} is taken: end the program that has it, or choose another "
                "port (--port)"
            )
        else:
            text = f"cannot listen on {host}, port {port}: {reason.strerror} (--host, --port)"
        SREError.__init__(self, text)


class NotInSession(SREError, RuntimeError):
    """An episode was to begin where no session would end it."""

    def __init__(self) -> None:
        super().__init__(
            "episodes live in sessions: call openenv/session/create and pass its session_id in "
            "params, or connect to /mcp or /ws by WebSocket"
        )


class NoFreeSession(SREError, RuntimeError):
    """No session is free to play a graded episode in."""

    def __init__(self, max_sessions: int) -> None:
        self.max_sessions = max_sessions
        super().__init__(
            f"all {max_sessions} sessions are in use and a graded episode needs its own; end one, "
            "or try again when one is over"
        )


class NotGradedYet(SREError, RuntimeError):
    """A score was asked for before the last step."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"the episode is at step {step} and has no score yet; play it to its end")


class NotReplayable(SREError, RuntimeError):
    """A debrief was asked for of an episode that cannot be replayed in the simulator."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the episode cannot be debriefed: {reason}")


class UnknownRecord(SREError, LookupError):
    """A record that was never written, or that is still written."""

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
        super().__init__(
            f"no record {record_id!r} of an episode that is over; /records lists those there are"
        )


class TooManyCalls(SREError, RuntimeError):
    """Calls came faster than a setting allows; after `retry_after_s` there is room again."""

    def __init__(self, what: str, per_minute: int, variable: str, wait_s: float) -> None:
        self.retry_after_s = math.ceil(wait_s)
        super().__init__(
            f"one client may ask for {per_minute} {what} a minute ({variable}); try again in "
            f"{self.retry_after_s} s"
        )


class BackendError(SREError, RuntimeError):
    """The world behind the environment failed."""


class EpisodeAbandoned(BackendError):
    """The backend failed; the details could reveal what is hidden, so only the log has them."""

    def __init__(self) -> None:
        super().__init__("the mesh failed and the episode is given up; reset begins another")


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


class BackendUnhealthy(BackendError):
    """Something that an episode relies on was changed from outside, and could not be mended."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the backend is not in order: {what}")


class FaultNotInstalled(BackendError):
    """A fault's impairments did not take hold."""

    def __init__(self, kind: str, missing: str) -> None:
        self.kind, self.missing = kind, missing
        super().__init__(f"fault {kind} is not installed: {missing}")


class ImpairmentLost(BackendError):
    """Replicas are not impaired as ordered, although that was ordered again."""

    def __init__(self, replicas: str) -> None:
        self.replicas = replicas
        super().__init__(f"{replicas}: not impaired as ordered in two windows in a row")
