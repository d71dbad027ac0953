"""How often a client may ask for what costs most: new episodes and sessions, and graded play.

Token buckets, one for each client address and one for all together. Steps are not limited: they
cost what the session has been admitted to.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Protocol

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


class BucketStore(Protocol):
    """Where buckets are kept: how many tokens are in each, and when they were counted, s.

    The process's own, or what several workers share: `SharedMemory`.
    """

    def locked(self) -> AbstractContextManager[None]:
        """Nobody else counts while this lasts."""
        ...

    def bucket(self, key: str) -> tuple[float, float] | None: ...

    def keep_bucket(self, key: str, tokens: float, counted_at: float) -> None: ...


class OwnBuckets:
    """The buckets of a server that is one process."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def locked(self) -> AbstractContextManager[None]:
        return nullcontext()

    def bucket(self, key: str) -> tuple[float, float] | None:
        return self._buckets.get(key)

    def keep_bucket(self, key: str, tokens: float, counted_at: float) -> None:
        self._buckets[key] = tokens, counted_at
        self._buckets.move_to_end(key)
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)


class RateLimits:
    """The limits of a server.

    clock: seconds, never going back, the same in all processes that share `store`.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        store: BucketStore | None = None,
    ) -> None:
        self._clock, self._store = clock, store or OwnBuckets()
        self._per_minute = {cost: getattr(settings, cost) for cost in Cost}

    def admit(self, cost: Cost, scope: Scope) -> None:
        """Takes a token for a request. Raises TooManyCalls, and takes none, where there is none."""
        rate = self._per_minute[cost]
        per_minute = {f"{cost} {client_of(scope)}": rate, f"{cost}, all": TOTAL * rate}
        with self._store.locked():
            now = self._clock()
            buckets = {key: self._bucket(key, rate, now) for key, rate in per_minute.items()}
            wait_s = max(bucket.wait_s(now) for bucket in buckets.values())
            for key, bucket in buckets.items():
                if wait_s <= 0.0:
                    bucket.take()
                self._store.keep_bucket(key, bucket.tokens, bucket.filled_at)
        if wait_s > 0.0:
            raise TooManyCalls(WORDS[cost], rate, variable(cost), wait_s)

    def _bucket(self, key: str, per_minute: float, now: float) -> TokenBucket:
        """As it is kept, else a full one."""
        bucket = TokenBucket.full(per_minute, now)
        bucket.tokens, bucket.filled_at = self._store.bucket(key) or (bucket.tokens, now)
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
