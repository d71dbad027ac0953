"""The line between this process and its neighbours: silence and dropped answers. Never an error."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.draws import Draws, Purpose


class Link:
    """The quality of the network link; the control thread sets it, the data loop reads it."""

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        self.partitioned = 0.0
        self.drop_ratio = 0.0

    def silences_incoming(self) -> bool:
        return self._draws.happens(Purpose.SILENCE_IN, self.partitioned)

    def silences_outgoing(self) -> bool:
        return self._draws.happens(Purpose.SILENCE_OUT, self.partitioned)

    def drops(self) -> bool:
        return self._draws.happens(Purpose.DROP, self.drop_ratio)


class LinkMiddleware:
    """Outside of all that measures, so that a silenced call leaves no span and no metric here.

    A silenced call stays silent until its caller hangs up, even if the link is healed meanwhile.
    """

    def __init__(self, app: ASGIApp, link: Link) -> None:
        self._app = app
        self._link = link

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._link.silences_incoming():
            await hung_up(receive)
        elif self._link.drops():
            await self._app(scope, receive, swallow)
            await hung_up(receive)
        else:
            await self._app(scope, receive, send)


async def hung_up(receive: Receive) -> None:
    """Waits until the caller has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def swallow(_message: Message) -> None:
    """Discards a part of an answer."""
