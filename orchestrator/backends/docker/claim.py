"""A stack holds one mesh, so one backend at a time plays in it."""

import hashlib
import socket

from orchestrator.errors import StackUnavailable


class StackClaim:
    """The right to play in the stack that `identity` names. One backend on this machine holds it.

    It is the name of an abstract socket, which the kernel frees as soon as its holder has died.
    """

    def __init__(self, identity: str) -> None:
        digest = hashlib.sha256(identity.encode()).hexdigest()  # it may hold a token
        self._name = f"\0sre-autopilot-stack-{digest}"
        self._socket: socket.socket | None = None

    def take(self) -> None:
        """Idempotent. Raises StackUnavailable where another backend holds the claim."""
        if self._socket is not None:
            return
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(self._name)
        except OSError as error:
            claim.close()
            raise StackUnavailable("another session plays in this stack") from error
        self._socket = claim

    async def aclose(self) -> None:
        """Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
