"""Client of the broker, which starts, stops and cuts off containers.

Goes to the next broker where one gives no answer at all; never guesses and never repeats what a
broker refused. Any other answer raises BrokerUnavailable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from services.runtime.authorization import bearer
from sre_autopilot.world.stack import BrokerVerb

T = TypeVar("T")

TIMEOUT_S = 10.0
READ_TIMEOUT_S = 3.0
"""Of what changes nothing and takes milliseconds: a paused broker takes calls and stays silent."""
CONNECT_TIMEOUT_S = 1.0
"""At the address of a killed broker connections are not even refused: they hang."""
GRACE = "grace_s"
_REASON_LENGTH = 500


class BrokerUnavailable(Exception):
    """No broker did `what`, for this reason."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"the broker does not answer {what}: {reason}")
        self.what = what
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container as the engine sees it.

    exit_code: None while it runs.
    mesh_address: the one it has whenever it is on the mesh; None for the users.
    control_address: on the telemetry network, now.
    cpu_share: its quota over its service's limit; the users have no limit: theirs is 1.
    repaired: what `repair` had to mend; nothing after any other order.
    """

    name: str
    running: bool
    exit_code: int | None
    oom_killed: bool
    started_at: str
    on_mesh: bool
    mesh_address: str | None
    control_address: str | None
    cpu_share: float
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerListed:
    """One container in the list of all; `image` is the engine's id of what it was made of."""

    running: bool
    image: str


@dataclass(frozen=True, slots=True)
class _Listing:
    containers: Mapping[str, ContainerListed]


_STATE = TypeAdapter(ContainerState)
_LISTING = TypeAdapter(_Listing)


class BrokerClient:
    """Asks the brokers at `urls`, any number of calls at once. Close it when done."""

    def __init__(
        self,
        urls: Sequence[str],
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        token: str | None = None,
    ) -> None:
        """token: of the stack, sent with every order."""
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._timeout_s = timeout_s
        # Plain HTTP inside the stack: no proxy of the environment, and no TLS to set up (30 ms).
        self._http = httpx.AsyncClient(
            headers=bearer(token), verify=False, trust_env=False, transport=transport
        )

    async def containers(self) -> Mapping[str, ContainerListed]:
        """Each replica, the users, chaos and the brokers."""
        return (await self._ask(_LISTING, "GET", "/containers")).containers

    async def state(self, name: str) -> ContainerState:
        return await self._ask(_STATE, "GET", f"/containers/{name}")

    async def start(self, name: str) -> ContainerState:
        """Raises its CPU quota until `limit` sets it; as `restart` does."""
        return await self._order(name, BrokerVerb.START)

    async def restart(self, name: str) -> ContainerState:
        """Kills it at once, and starts it."""
        return await self._order(name, BrokerVerb.RESTART)

    async def stop(self, name: str, grace_s: float) -> ContainerState:
        return await self._order(name, BrokerVerb.STOP, **{GRACE: grace_s})

    async def connect(self, name: str) -> ContainerState:
        """Puts it back on the mesh, at the address it had."""
        return await self._order(name, BrokerVerb.CONNECT)

    async def disconnect(self, name: str) -> ContainerState:
        """Takes it off the mesh."""
        return await self._order(name, BrokerVerb.DISCONNECT)

    async def limit(self, name: str, cpu_share: float) -> ContainerState:
        """Gives it this share of its service's CPU limit."""
        return await self._order(name, BrokerVerb.LIMIT, cpu_share=cpu_share)

    async def repair(self, name: str) -> ContainerState:
        """Brings it back to the networks and limits that it was created with, and out of a pause.

        Never starts it.
        """
        return await self._order(name, BrokerVerb.REPAIR)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _order(self, name: str, verb: BrokerVerb, **body: float) -> ContainerState:
        return await self._ask(_STATE, "POST", f"/containers/{name}/{verb}", body)

    async def _ask(
        self,
        answer: TypeAdapter[T],
        method: str,
        path: str,
        body: Mapping[str, float] | None = None,
    ) -> T:
        what = f"{method} {path}"
        response = await self._send(what, method, path, body)
        if not response.is_success:
            reason = f"status {response.status_code}: {response.text[:_REASON_LENGTH]}"
            raise BrokerUnavailable(what, reason)
        try:
            return answer.validate_json(response.content)
        except ValidationError as error:
            raise BrokerUnavailable(what, str(error)) from error

    async def _send(
        self, what: str, method: str, path: str, body: Mapping[str, float] | None
    ) -> httpx.Response:
        """The answer of the first broker that gives one; that one is the first to ask again."""
        timeout_s = self._timeout_s + (body or {}).get(GRACE, 0.0)
        if method == "GET":
            timeout_s = min(timeout_s, READ_TIMEOUT_S)
        timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        silence: list[str] = []
        for url in self._urls:
            try:
                response = await self._http.request(method, url + path, json=body, timeout=timeout)
            except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
                silence.append(f"{url}: {str(error) or type(error).__name__}")
            else:
                self._urls = (url, *(other for other in self._urls if other != url))
                return response
        raise BrokerUnavailable(what, "; ".join(silence) or "no broker is given")
