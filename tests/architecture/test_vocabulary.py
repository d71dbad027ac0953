"""Names of services, actions, faults and tiers are written once, in sre_autopilot/world."""

import ast
import re
from collections.abc import Iterator

import pytest

from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause, Tier
from tests.architecture.source import product, walked

ORDINARY = {str(FaultKind.NONE)}
"""Words that mean something else more often than not."""
NAMES = {str(n) for names in (Service, ActionName, FaultKind, FlapCause, Tier) for n in names}
NAMES -= ORDINARY
UNMISTAKABLE = re.compile(rf"\b({'|'.join(name for name in NAMES if '_' in name)})(?![a-z_])")
"""Names of two words mean the thing wherever they stand; `wait` or `easy` only on its own."""

REFERENCE = re.compile(r"[\w.]+:\w+")
"""A class named as "module:Class", as registries do."""
OF_COMPOSE = {("deploy/compose.py", "restart"), ("deploy/container.py", "restart")}
"""Compose's own keys, by the file that writes them."""


def literals(tree: ast.Module) -> Iterator[ast.Constant]:
    """Strings but docstrings: a string that is a whole statement is one."""
    documentation = {node.value for node in walked(tree) if isinstance(node, ast.Expr)}
    for node in walked(tree):
        if isinstance(node, ast.Constant) and node not in documentation:
            yield node


def spelt_names(tree: ast.Module) -> list[ast.Constant]:
    """Literals that hold a name, but for paths of routes and references to classes."""
    return [
        node
        for node in literals(tree)
        if isinstance(node.value, str) and not node.value.startswith("/")
        if not REFERENCE.fullmatch(node.value)
        if node.value in NAMES or UNMISTAKABLE.search(node.value)
    ]


def test_no_name_is_spelt_out() -> None:
    spelt = [
        f"{source.at(node)} {node.value!r}"
        for source in product()
        if not source.path.startswith("sre_autopilot/world/")
        for node in spelt_names(source.tree)
        if (source.path, node.value) not in OF_COMPOSE
    ]
    assert not spelt, "\n".join(spelt)


@pytest.mark.parametrize(
    ("code", "is_spelt"),
    [
        ("x = 'restart'", True),
        ("x = f'user_db-{i}'", True),
        ("x = Service.USER_DB", False),
        ("x = 'restarted twice'", False),
        ("x = '/user_db/rows'", False),
        ("x = 'faults.single_oom:SingleOom'", False),
        ("'''Asks user_db.'''", False),
    ],
)
def test_the_search_finds_names_and_only_names(code: str, is_spelt: bool) -> None:
    assert bool(spelt_names(ast.parse(code))) is is_spelt
