"""The name and version under which this is installed, and what its extras bring. Standard library
only.
"""

import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "openenv-sre-autopilot"
"""As OpenEnv's AutoEnv looks for environments: `openenv-`, then the package with hyphens."""

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "sim": ("numba", "llvmlite"),
    "live": (
        *("aiohttp", "aiosqlite", "docker", "fastapi", "fastmcp", "google", "httpx_aiohttp"),
        *("opentelemetry", "prometheus_client", "requests", "sqlalchemy", "starlette", "uvicorn"),
    ),
    "eval": ("matplotlib", "scipy"),
    "llm": ("openai",),
    "local-model": ("torch", "transformers"),
}
"""The modules that each extra brings."""


def _version() -> str:
    """That of the checkout which this file is in, or else of what is installed.

    A checkout comes first: an image has it without metadata, and after a change of version the
    metadata of an editable install are stale.
    """
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == DISTRIBUTION:
            return str(project["version"])
    return metadata.version(DISTRIBUTION)


__version__ = _version()


def installation_advice(error: ModuleNotFoundError) -> str | None:
    """The command that installs the module which was not found; None where no extra has it."""
    missing = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if missing in modules:
            return f"{missing} is not installed: pip install '{DISTRIBUTION}[{extra}]'"
    return None
