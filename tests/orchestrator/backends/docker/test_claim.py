"""One backend at a time plays in a stack, and a dead one does not hold it."""

import secrets
import subprocess
import sys

import pytest

from orchestrator.backends.docker.claim import StackClaim
from orchestrator.errors import StackUnavailable

pytestmark = pytest.mark.anyio

HOLDER = """
import sys
from orchestrator.backends.docker.claim import StackClaim
claim = StackClaim(sys.argv[1])
claim.take()
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_claim_is_held_until_it_is_given_up() -> None:
    identity = secrets.token_urlsafe()
    first, second = StackClaim(identity), StackClaim(identity)
    first.take()
    first.take()
    with pytest.raises(StackUnavailable, match="another session"):
        second.take()
    other = StackClaim(secrets.token_urlsafe())
    other.take()
    await other.aclose()
    await first.aclose()
    await first.aclose()
    second.take()
    await second.aclose()


async def test_a_killed_holder_frees_its_claim() -> None:
    identity = secrets.token_urlsafe()
    claim = StackClaim(identity)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, identity], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(StackUnavailable):
            claim.take()
        holder.kill()
    claim.take()
    await claim.aclose()
