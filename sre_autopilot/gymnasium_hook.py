"""Registers the environment at the moment that Gymnasium is imported, and never imports it itself.

`gymnasium.make("sre_autopilot:SREAutopilot-v0")` imports `sre_autopilot` by name and then looks the
id up in its registry. Where `sre_autopilot` was imported first, that second import runs no code: by
then the id must be there already. Importing Gymnasium in `sre_autopilot/__init__` would load NumPy
into every process, those that fork included, and Gymnasium 1.x reads no entry points of plug-ins.
So the package puts a finder in front of `sys.meta_path`, which calls `registering_spec` here.
"""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

NAME = "gymnasium"


def register() -> None:
    """Puts the environment into Gymnasium's registry; a second call changes nothing."""
    # Not its `register()`: where that module is what imports Gymnasium, it is half loaded here.
    import sre_autopilot.simulator.gym  # noqa: F401, PLC0415 - importing it registers


def registering_spec(asking: object) -> ModuleSpec | None:
    """Gymnasium's own spec, as the finders but `asking` give it, with a loader that calls
    `register` after the module. None where Gymnasium is not installed.

    The loader keeps its class: what reads files or sources through it goes on to work.
    """
    spec = next(filter(None, map(_find, (f for f in sys.meta_path if f is not asking))), None)
    if spec is None or spec.loader is None:
        return spec
    loader, execute = spec.loader, spec.loader.exec_module

    def execute_and_register(module: ModuleType) -> None:
        execute(module)
        del loader.exec_module  # the instance's own, which hid the class's
        if asking in sys.meta_path:
            sys.meta_path.remove(asking)
        register()

    loader.exec_module = execute_and_register  # type: ignore[method-assign]
    return spec


def _find(finder: object) -> ModuleSpec | None:
    """What one finder knows of Gymnasium; some old ones have no `find_spec`."""
    find_spec = getattr(finder, "find_spec", None)
    spec: ModuleSpec | None = find_spec(NAME, None) if find_spec else None
    return spec
