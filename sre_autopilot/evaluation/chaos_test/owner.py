"""`python -m sre_autopilot.evaluation.chaos_test.owner FOLDER`: the program that starts the server.

Prints the server's URL as one line and waits until its standard input or the server ends. It is
killed like any other part: then the server, and its mesh, must end too.
"""

import asyncio
import os
import sys
from pathlib import Path

from orchestrator.settings import PREFIX
from server.server_process import server_process

MODULE = "sre_autopilot.evaluation.chaos_test.owner"
STEP_SECONDS = 0.15
"""Short windows: kills are about moments, not about measurements."""
RECORDS, LOG = "records", "server.log"


async def serve(folder: Path) -> None:
    settings = {"backend": "process", "step_seconds": str(STEP_SECONDS)}
    with (folder / LOG).open("ab") as log:
        async with server_process(folder / RECORDS, log, **settings) as (url, server):
            sys.stdout.write(f"{url}\n")
            sys.stdout.flush()
            ends = (asyncio.create_task(server.wait()), asyncio.create_task(_stdin_ends()))
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()


async def _stdin_ends() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]  # the test plays with its own settings, whatever its caller has
    asyncio.run(serve(Path(sys.argv[1])))
