"""A bell that rings for all who wait at that moment: something has changed, look again."""

import asyncio


class News:
    """Take `next`, look at what there is, then wait for it: so nothing is missed."""

    def __init__(self) -> None:
        self.next = asyncio.Event()
        """Set by the next `publish`."""

    def publish(self) -> None:
        """Wakes all who wait."""
        current, self.next = self.next, asyncio.Event()
        current.set()
