"""Registries as data: a name -> "module:object", imported only when it is asked for.

Backends, faults and policies are registered like this, and everybody's own plug in as
"module:object" without being registered. Knows nothing of what the objects do.
"""

import pkgutil
from collections.abc import Mapping

from sre_autopilot.errors import UnknownName

PLACEHOLDER = "module:Class"
"""Stands in lists of valid names for a class of the user's own."""

Registry = Mapping[str, str]
"""Name of a shipped object -> "module:object"."""


def resolve(kind: str, name: str, registry: Registry, required: str) -> object:
    """The object registered as `name`, or the one at `name` = "module:object".

    kind: what the registry holds, for messages: "backend", "fault", "policy".
    required: the method that an object of this kind must have.

    Raises UnknownName, which lists the registered names. An ImportError of a registered object is
    not caught: its name is right, and a package that it needs is missing.
    """
    valid = valid_names(registry)
    if name in registry:
        return pkgutil.resolve_name(registry[name])
    module, separator, attribute = name.partition(":")
    if not (module and separator and attribute):
        raise UnknownName(kind, name, valid)
    try:
        plugin: object = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownName(kind, name, valid, f"{type(error).__name__}: {error}") from error
    if not callable(getattr(plugin, required, None)):
        raise UnknownName(kind, name, valid, f"it has no method {required}")
    return plugin


def valid_names(registry: Registry) -> tuple[str, ...]:
    """What may be given in place of a name of `registry`."""
    return (*registry, PLACEHOLDER)
