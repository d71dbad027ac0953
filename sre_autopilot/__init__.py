"""SRE Autopilot: what one imports and types.

    from sre_autopilot import SREAction, SREEnv, make_env    # the client; the environment itself
    gymnasium.make("sre_autopilot:SREAutopilot-v0", tier="hard")

Imports nothing until a name is asked for: the image of the services holds this file and `world/`
alone, and no process that forks may load NumPy, whose threads a fork does not copy.
"""

import sys

TYPE_CHECKING = False  # type checkers take it for true; `typing` need not be imported for it
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from sre_autopilot.client import SREEnv
    from sre_autopilot.grading import grade
    from sre_autopilot.in_process import make_env
    from sre_autopilot.models import SREAction, SREObservation
    from sre_autopilot.version import __version__

__all__ = ["SREAction", "SREEnv", "SREObservation", "__version__", "grade", "make_env"]

_MODULES = {
    "SREAction": "sre_autopilot.models",
    "SREEnv": "sre_autopilot.client",
    "SREObservation": "sre_autopilot.models",
    "__version__": "sre_autopilot.version",
    "grade": "sre_autopilot.grading",
    "make_env": "sre_autopilot.in_process",
}
"""The module in which each public name is defined."""


def __getattr__(name: str) -> object:
    """A public name, imported the first time it is asked for (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see the module's docstring

    value: object = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _GymnasiumFinder:
    """Notices an import of Gymnasium and hands it to `gymnasium_hook`; finds nothing itself."""

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> "ModuleSpec | None":
        if name != "gymnasium":
            return None
        from sre_autopilot import gymnasium_hook  # noqa: PLC0415 - see the module's docstring

        return gymnasium_hook.registering_spec(self)


if "gymnasium" in sys.modules:
    from sre_autopilot import gymnasium_hook

    gymnasium_hook.register()
else:
    sys.meta_path.insert(0, _GymnasiumFinder())
