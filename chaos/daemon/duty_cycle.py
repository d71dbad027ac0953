"""A duty cycle: one order at the start of each cycle and its opposite after a share of it.

Knows nothing of what the orders do.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from chaos.broker_client import BrokerUnavailable

RETRY_S = 0.5

log = logging.getLogger(__name__)

Order = Callable[[], Awaitable[object]]
"""One order to the broker; may raise BrokerUnavailable."""


class Cycle:
    """Impairs for the first `share` of each cycle and mends for the rest.

    Sleeps until absolute times, so that neither the orders' own duration nor a late wake-up
    accumulates. To be mended for less time than an order takes is not possible: such a time is
    put off and added to that of the next cycle, so that the share is right over some cycles.
    """

    def __init__(self, share: float, length_s: float, impair: Order, mend: Order) -> None:
        self._share = share
        self._length_s = length_s
        self._impair = impair
        self._mend = mend
        self._begun_s = 0.0
        self._order_s = 0.0
        self.failing = False

    async def begin(self) -> None:
        """Returns once it is impaired. Raises BrokerUnavailable."""
        self._begun_s = now_s()
        await self._timed(self._impair)

    async def run(self, over: asyncio.Event) -> None:
        """Runs until `over` is set; an order that fails is given again in the next cycle."""
        cycle, put_off_s = 0, 0.0
        while True:
            mended_s = put_off_s + (1.0 - self._share) * self._length_s
            is_put_off = mended_s <= self._order_s
            put_off_s = mended_s if is_put_off else 0.0
            end_s = self._begun_s + (cycle + 1) * self._length_s
            if await set_by(over, end_s if is_put_off else end_s - mended_s):
                return
            if not is_put_off:
                await self._timed(partial(self._try, self._mend))
            # Cycles that passed during a slow order are skipped, not caught up with.
            cycle = max(cycle + 1, int((now_s() - self._begun_s) / self._length_s))
            if await set_by(over, self._begun_s + cycle * self._length_s):
                return
            await self._try(self._impair)

    async def heal(self) -> None:
        """Mends, however often that has to be ordered."""
        await repeat_until_done(self._mend)

    async def _timed(self, order: Order) -> None:
        """Keeps how long it took, up to half a cycle: one that hung says nothing of the next."""
        ordered_s = now_s()
        await order()
        self._order_s = min(now_s() - ordered_s, self._length_s / 2)

    async def _try(self, order: Order) -> None:
        try:
            await order()
            self.failing = False
        except BrokerUnavailable as error:
            if not self.failing:
                log.warning("in mid-cycle: %s", error)
            self.failing = True


def now_s() -> float:
    """The running loop's clock, which tests can replace."""
    return asyncio.get_running_loop().time()


async def set_by(event: asyncio.Event, time_s: float) -> bool:
    """Waits for `event` until `time_s` of the loop's clock; whether it is set then."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(time_s):
            await event.wait()
    return event.is_set()


async def repeat_until_done(order: Order) -> None:
    """Gives the order every RETRY_S until it is carried out; logs each new error once."""
    last_error = ""
    while True:
        try:
            await order()
            return
        except BrokerUnavailable as error:
            if str(error) != last_error:
                log.warning("repeated until it is done: %s", error)
            last_error = str(error)
        await asyncio.sleep(RETRY_S)
