"""Client of the chaos daemon, which partitions and starves containers from outside."""

import asyncio
from typing import Any

import httpx

from orchestrator.errors import ReplicaUnreachable
from services.runtime.authorization import bearer
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import Part

RETRY_S = 10.0
"""A daemon that was killed is restarted within a few seconds."""
PAUSE_S = 0.2
TIMEOUT_S = 10.0
IMPAIRMENTS = "/impairments"


class ChaosClient:
    """Orders outages; repeats an order until it is carried out or refused. Close it when done."""

    def __init__(
        self,
        url: str,
        *,
        retry_s: float = RETRY_S,
        transport: httpx.AsyncBaseTransport | None = None,
        token: str | None = None,
    ) -> None:
        """token: of the stack, sent with every order."""
        self._retry_s = retry_s
        # Plain HTTP inside the stack: no proxy of the environment, and no TLS to set up.
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=bearer(token),
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=False,
            transport=transport,
        )

    async def impair(
        self, target: ReplicaId, partitioned: float, cpu_fraction: float, ttl_s: float
    ) -> None:
        """Returns once it is applied, for `ttl_s`. Raises ReplicaUnreachable."""
        body = {"partitioned": partitioned, "cpu_fraction": cpu_fraction, "ttl_s": ttl_s}
        await self._ask("PUT", f"{IMPAIRMENTS}/{target}", body)

    async def heal(self) -> None:
        """Returns once no container is partitioned or starved. Raises ReplicaUnreachable."""
        await self._ask("DELETE", IMPAIRMENTS)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._retry_s
        while True:
            try:
                response = await self._http.request(method, path, json=body)
                response.raise_for_status()
                return
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                refused = isinstance(error, httpx.HTTPStatusError) and (
                    error.response.is_client_error
                )
                if refused or loop.time() > until_s:
                    reason = f"{method} {path}: {str(error) or type(error).__name__}"
                    raise ReplicaUnreachable(Part.CHAOS, reason) from error
            await asyncio.sleep(PAUSE_S)
