"""The agent's door: OpenEnv over HTTP, WebSocket and MCP. Plays nothing itself.

OpenEnv imports gradio for a page that is not served here: 2 s and 80 MB. It does without where
gradio is not installed, and so it is told here, for as long as that import takes.
"""

import sys

if "gradio" not in sys.modules:
    sys.modules["gradio"] = None  # type: ignore[assignment]  # what the import system takes for "no"
    try:
        import openenv.core.env_server  # noqa: F401
    finally:
        del sys.modules["gradio"]
