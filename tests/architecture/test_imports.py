"""Imports go down only. import-linter holds the chains; this holds what it cannot see."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.source import ROOT, Source, imports, product

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

WORLD, SRE = "sre_autopilot.world", "sre_autopilot"
ERRORS, PLUGINS = "sre_autopilot.errors", "sre_autopilot.plugins"
MODELS, GRADING = "sre_autopilot.models", "sre_autopilot.grading"
LIVE = ["orchestrator", "chaos", "services", MODELS, GRADING, ERRORS, PLUGINS, WORLD]
MAY_IMPORT = {
    "services": ["services", WORLD],
    "services.runtime": ["services.runtime", WORLD],
    "chaos": ["chaos", "services", ERRORS, PLUGINS, WORLD],
    "orchestrator": LIVE,
    "server": [
        *("server", "sre_autopilot.version", "sre_autopilot.policies"),
        *("sre_autopilot.simulator", *LIVE),
    ],
    "deploy": ["deploy", *LIVE],
    "sre_autopilot": [SRE],
    "sre_autopilot.world": [WORLD],
    "sre_autopilot.errors": [],
    "sre_autopilot.plugins": [ERRORS],
    "sre_autopilot.models": [ERRORS, WORLD],
    "sre_autopilot.client": [ERRORS, MODELS, "sre_autopilot.openenv_client"],
    "sre_autopilot.distribution": [],
    "sre_autopilot.version": ["sre_autopilot.distribution"],
    "sre_autopilot.gymnasium_hook": ["sre_autopilot.simulator.gym"],
    "sre_autopilot.in_process": ["sre_autopilot.distribution", *LIVE],
    "sre_autopilot.openenv_client": [],
    "sre_autopilot.grading": [GRADING, WORLD],
    "sre_autopilot.simulator": ["sre_autopilot.distribution", "sre_autopilot.simulator", *LIVE],
    "sre_autopilot.policies": [
        "sre_autopilot.policies",
        "sre_autopilot.simulator.parameters",
        *LIVE,
    ],
    "sre_autopilot.evaluation": [SRE, "server", "deploy", *LIVE],
    "sre_autopilot.cli": [SRE, "benchmarks", "deploy", "server", "tools", *LIVE],
    "benchmarks": ["benchmarks", SRE, "server", "deploy", *LIVE],
    "tools": ["tools", SRE, "server", "deploy", *LIVE],
    "models": ["sre_autopilot.models"],
    "client": ["sre_autopilot.client"],
    "grader": ["sre_autopilot.grading"],
    "inference": [SRE, "orchestrator"],
    "baseline": ["inference", SRE],
    "__init__": [],
}
"""What each part may import of ours; the longest name that fits a module holds."""

PACKED = {"chaos", "orchestrator", "server", "services", SRE}
"""The packages that the wheel installs: a user's own models.py or tools/ are in nobody's way."""

OURS = {source.part for source in product()}


def is_within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def may_import(module: str, name: str) -> bool:
    part = max((part for part in MAY_IMPORT if is_within(module, part)), key=len, default=None)
    assert part is not None, f"say in MAY_IMPORT what {module} may import"
    return any(is_within(name, allowed) for allowed in MAY_IMPORT[part])


def third_party(source: Source) -> set[str]:
    """Top-level modules that come from outside."""
    return {name.split(".")[0] for _, name in imports(source.tree)} - OURS - sys.stdlib_module_names


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_a_module_imports_only_what_stands_below_it() -> None:
    wrong = [
        f"{source.at(node)} imports {name}"
        for source in product()
        for node, name in imports(source.tree)
        if name.split(".")[0] in OURS and not may_import(source.module, name)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "name", "allowed"),
    [
        ("orchestrator.episode", "sre_autopilot.grading.grade", True),
        ("chaos.faults.oom", "sre_autopilot.world.topology", True),
        ("chaos.faults.oom", "orchestrator.errors", False),
        ("sre_autopilot.world.sla", "services.runtime.app", False),
        ("services.runtime.app", "services.user_db.rows", False),
        ("services.user_db", "services.runtime.app", True),
        ("grader", "services.runtime.app", False),
        ("client", "server.app", False),
    ],
)
def test_the_longest_rule_holds(module: str, name: str, allowed: bool) -> None:
    assert may_import(module, name) is allowed


def test_no_relative_imports() -> None:
    relative = [
        source.at(node)
        for source in product()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, f"they make two classes of each model: {relative}"


def test_the_vocabulary_needs_the_standard_library_alone() -> None:
    vocabulary = [source for source in product() if is_within(source.module, "sre_autopilot.world")]
    assert vocabulary
    assert {s.path: third_party(s) for s in vocabulary if third_party(s)} == {}


@pytest.mark.parametrize(
    ("lock", "parts"),
    [
        ("mesh.txt", {"services"}),
        ("server.txt", PACKED - {SRE}),
        ("dev.txt", OURS),
    ],
)
def test_every_third_party_import_is_locked(lock: str, parts: set[str]) -> None:
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / lock).read_text(), re.M))
    distributions = packages_distributions()
    missing = [
        f"{source.path} imports {module}"
        for source in product()
        if source.part in parts
        for module in third_party(source)
        if not {normal(d) for d in distributions.get(module, ())} & locked
    ]
    assert not missing, "\n".join([f"not in requirements/{lock}:", *missing])


def test_the_wheel_holds_what_is_imported_and_every_package_is_layered() -> None:
    packed = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert set(packed) == PACKED
    packages = {source.part for source in product() if "/" in source.path}
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == packages


def test_the_root_package_is_a_docstring() -> None:
    body = ast.parse((ROOT / "__init__.py").read_text()).body
    assert [type(statement) for statement in body] == [ast.Expr]
