"""The name under which this is installed, and what its extras bring. Standard library only."""

from collections.abc import Mapping
from pathlib import Path

DISTRIBUTION = "openenv-sre-autopilot"
"""As OpenEnv's AutoEnv looks for environments: `openenv-`, then the package with hyphens."""

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "sim": ("numba", "llvmlite"),
    "live": (
        *("docker", "fastapi", "fastmcp", "google", "httptools"),
        *("opentelemetry", "prometheus_client", "requests", "sqlalchemy", "starlette", "uvicorn"),
    ),
    "eval": ("matplotlib", "scipy"),
    "llm": ("openai",),
    "dataset": ("pyarrow",),
    "train": ("tensorboard",),  # and torch, which local-model brings as well
    "ray": ("ray",),
    "local-model": ("torch", "transformers"),
    "tutorial": ("stable_baselines3", "sb3_contrib", "ipykernel", "nbclient"),
    "console-test": ("playwright", "axe_playwright_python"),
}
"""The modules that each extra brings, by the names under which they are imported."""

CHECKOUT = Path(__file__).parents[1]


def installation_command(module: str) -> str | None:
    """The command that installs a module which is missing; None where no extra brings it.

    In a checkout, which no index need know, it installs the checkout.
    """
    top_level = module.partition(".")[0]
    extras = (extra for extra, modules in EXTRAS.items() if top_level in modules)
    extra = next(extras, None)
    return None if extra is None else extra_command(extra)


def extra_command(extra: str) -> str:
    """The command that installs an extra; in a checkout, of the checkout."""
    is_checkout = (CHECKOUT / "pyproject.toml").is_file()
    name = f"-e '{CHECKOUT}" if is_checkout else f"'{DISTRIBUTION}"
    return f"pip install {name}[{extra}]'"
