"""How often a client may ask for what costs most: new episodes and sessions, and graded play.

Token buckets, one for each client address and one for all together. Steps are not limited: they
cost what the session has been admitted to.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from starlette.types import Scope

from orchestrator.errors import TooManyCalls
from orchestrator.settings import Settings, variable

MOST_ADDRESSES = 4096
"""Addresses of which a bucket is kept; the one that has been silent longest is forgotten."""
TOTAL = 4
"""All clients together may have so many times what one address may."""
BURST_MINUTES = 0.25
"""A bucket holds what comes in so many minutes."""
IPV6_CLIENT_BITS = 64
"""One client commands all IPv6 addresses that begin with the same bits (RFC 6177)."""


class Cost(StrEnum):
    """What is limited, by the setting that limits it."""

    RESETS = "resets_per_minute"
    GRADED = "graded_per_minute"


WORDS: Mapping[Cost, str] = {
    Cost.RESETS: "resets and new sessions",
    Cost.GRADED: "graded episodes",
}


@dataclass
class TokenBucket:
    """Fills at a rate up to a burst; starts full."""

    per_s: float
    burst: float
    tokens: float
    filled_at: float
    """Seconds on the clock of its user."""

    @classmethod
    def full(cls, per_minute: float, now: float) -> "TokenBucket":
        burst = max(1.0, per_minute * BURST_MINUTES)
        return cls(per_minute / 60.0, burst, burst, now)

    def wait_s(self, now: float) -> float:
        """Seconds until there is a token; 0 where there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.per_s)
        self.filled_at = now
        return max(0.0, (1.0 - self.tokens) / self.per_s)

    def take(self) -> None:
        """Takes the token that `wait_s` has said is there."""
        self.tokens -= 1.0


class RateLimits:
    """The buckets of a server. clock: seconds, never going back."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._per_minute = {cost: getattr(settings, cost) for cost in Cost}
        self._total = {
            cost: TokenBucket.full(TOTAL * rate, clock()) for cost, rate in self._per_minute.items()
        }
        self._of_clients: OrderedDict[tuple[Cost, str], TokenBucket] = OrderedDict()

    def admit(self, cost: Cost, scope: Scope) -> None:
        """Takes a token for a request. Raises TooManyCalls, and takes none, where there is none."""
        now, rate = self._clock(), self._per_minute[cost]
        buckets = (self._of_client(cost, client_of(scope), now), self._total[cost])
        wait_s = max(bucket.wait_s(now) for bucket in buckets)
        if wait_s > 0.0:
            raise TooManyCalls(WORDS[cost], rate, variable(cost), wait_s)
        for bucket in buckets:
            bucket.take()

    def _of_client(self, cost: Cost, client: str, now: float) -> TokenBucket:
        key = cost, client
        bucket = self._of_clients.pop(key, None)
        bucket = bucket or TokenBucket.full(self._per_minute[cost], now)
        self._of_clients[key] = bucket
        if len(self._of_clients) > MOST_ADDRESSES:
            self._of_clients.popitem(last=False)
        return bucket


def client_of(scope: Scope) -> str:
    """The address of a request's client, as buckets count it; a proxy on this machine names it."""
    host = str((scope.get("client") or ("",))[0])
    try:
        address = ip_address(host)
    except ValueError:  # a socket of Unix has none
        return host
    if isinstance(address, IPv6Address):
        return str(int(address) >> (address.max_prefixlen - IPV6_CLIENT_BITS))
    return host
