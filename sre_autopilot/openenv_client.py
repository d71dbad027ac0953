"""OpenEnv's client classes, without its server.

`import openenv.core` imports the server side too: FastAPI, FastMCP and, where it is installed,
Gradio. That takes 2 to 5 s of CPU and 80 to 160 MB, of which a client needs a tenth. So the
client's modules are imported while an empty package stands in for `openenv.core`, and it is removed
afterwards: a later import of `openenv.core` gets the real one, with these same classes in it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import openenv

CORE = "openenv.core"


@contextmanager
def _without_server() -> Iterator[None]:
    """Makes submodules of `openenv.core` importable without running its `__init__`."""
    if CORE in sys.modules:
        yield
        return
    stand_in = ModuleType(CORE)
    stand_in.__path__ = [str(Path(folder) / "core") for folder in openenv.__path__]
    sys.modules[CORE] = stand_in
    try:
        yield
    finally:
        del sys.modules[CORE]


with _without_server():
    # EnvClient imports the last one when it is first used, and would import the real package then.
    from openenv.core.client_types import StepResult
    from openenv.core.env_client import EnvClient
    from openenv.core.sync_client import SyncEnvClient

__all__ = ["EnvClient", "StepResult", "SyncEnvClient"]
