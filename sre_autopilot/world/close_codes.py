"""Why the server closes a WebSocket, as its close code; the reason beside it says it in words.

The codes from 4000 are ours (RFC 6455, 7.4.2); the others are registered.
"""

from enum import IntEnum


class CloseCode(IntEnum):
    """Close codes of the server; 1000 is an end that the client asked for."""

    TOO_BIG = 1009
    """A message was larger than the server reads."""
    SERVER_STOPS = 1012
    TRY_AGAIN_LATER = 1013
    """All sessions are in use."""
    SESSION_ENDED = 4001
    """Somebody ended the session while the socket was open."""
    LEASE_ENDED = 4002
    """The session that the socket asked for got no call for its lease."""
    NO_TOKEN = 4003
    """Watching needs the token, and the socket had none or a wrong one."""
    UNKNOWN_SESSION = 4004
    """The session that the socket asked for was never begun, or was ended."""
    SESSION_LOST = 4005
    """The session that the socket asked for ended with the process in which it lived."""
    INVALID_VALUE = 4006
    """A parameter of the URL has a value that it cannot have; the reason says which it can."""
