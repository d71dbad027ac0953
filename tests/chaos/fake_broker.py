"""A broker in memory that keeps time, and a clock that jumps instead of waiting."""

import asyncio
import json
import selectors
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx

from chaos.broker_client import BrokerClient, ContainerState
from sre_autopilot.world.stack import REPLICAS, BrokerVerb

URL = "http://broker.example:8200"


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes straight to the next thing to do."""

    def __init__(self) -> None:
        super().__init__()
        loop = cast(Any, self)
        self._jumped_s = 0.0
        self._select: Callable[[float | None], list[Any]] = loop._selector.select
        loop._selector.select = self._jump

    def time(self) -> float:
        return self._jumped_s

    def _jump(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._select(0 if timeout is not None else None)
        if not ready and timeout:
            self._jumped_s += timeout
        return ready


@dataclass(frozen=True)
class Done:
    """An order that took effect, and when."""

    at_s: float
    name: str
    verb: BrokerVerb
    cpu_share: float | None = None


def healthy(name: str) -> ContainerState:
    return ContainerState(name, True, None, False, "", True, "172.30.0.2", "172.31.0.2", 1.0)


@dataclass
class FakeBroker:
    """Carries out orders after `takes_s`; `down` gives no answer, `refuses` answers 503."""

    takes_s: float = 0.0
    down: bool = False
    refuses: frozenset[BrokerVerb] = frozenset()
    states: dict[str, ContainerState] = field(
        default_factory=lambda: {str(r): healthy(str(r)) for r in REPLICAS}
    )
    done: list[Done] = field(default_factory=list)
    asked: int = 0

    @property
    def client(self) -> BrokerClient:
        return BrokerClient([URL], transport=httpx.MockTransport(self.answer))

    def left(self, name: str, **changes: Any) -> None:
        self.states[name] = replace(self.states[name], **changes)

    def orders(self, name: str, *verbs: BrokerVerb) -> list[Done]:
        return [d for d in self.done if d.name == name and d.verb in (verbs or BrokerVerb)]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        if self.down:
            raise httpx.ConnectError("nobody is there")
        _, _, name, *verb = request.url.path.split("/")
        if verb:
            order = BrokerVerb(verb[0])
            if order in self.refuses:
                return httpx.Response(503, json={"detail": f"the engine will not {order}"})
            self._carry_out(name, order, json.loads(request.content or "{}"))
        state = self.states[name]
        return httpx.Response(200, json={f: getattr(state, f) for f in state.__slots__})

    def _carry_out(self, name: str, verb: BrokerVerb, body: Mapping[str, float]) -> None:
        share = body.get("cpu_share")
        self.done.append(Done(asyncio.get_running_loop().time(), name, verb, share))
        if share is not None:
            self.left(name, cpu_share=share)
        else:
            self.left(name, on_mesh=verb is BrokerVerb.CONNECT)
