"""What import-linter cannot see: modules outside packages, third parties, and that its contracts
leave out no package. The contracts are in pyproject.toml; `make check` reads them.
"""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.source import ROOT, Source, imports, product, walked

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IMPORT_LINTER = PYPROJECT["tool"]["importlinter"]
DOWN_ONLY = "Imports go down only"
"""Name of the contract of all layers."""

ROOT_MODULES = {
    "__init__": set(),
    "baseline": {"inference", "sre_autopilot"},
    "client": {"sre_autopilot.client"},
    "grader": {"sre_autopilot.grading"},
    "inference": {"sre_autopilot"},
    "models": {"sre_autopilot.models"},
}
"""What each module beside the packages imports of ours: import-linter reads packages alone."""

SRE = "sre_autopilot"
PACKED = {"chaos", "orchestrator", "server", "services", SRE}
"""The packages that the wheel installs: a user's own models.py or tools/ shadow none of them."""

OURS = {source.part for source in product()}


def is_within(module: str, package: str) -> bool:
    return f"{module}.".startswith(f"{package}.")


def third_party(source: Source) -> set[str]:
    """Top-level modules that come from outside."""
    return {name.split(".")[0] for _, name in imports(source.tree)} - OURS - sys.stdlib_module_names


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def layered() -> set[str]:
    """Every module that the contract of layers names."""
    (layers,) = (c["layers"] for c in IMPORT_LINTER["contracts"] if c["name"] == DOWN_ONLY)
    return {name for layer in layers for name in re.split(r" [|:] ", layer)}


def test_a_module_of_the_root_imports_only_its_own_part() -> None:
    modules = {source.module: source for source in product() if "/" not in source.path}
    assert modules.keys() == ROOT_MODULES.keys()
    wrong = [
        f"{module} imports {name}"
        for module, source in modules.items()
        for _, name in imports(source.tree)
        if name.split(".")[0] in OURS
        if not any(is_within(name, allowed) for allowed in ROOT_MODULES[module])
    ]
    assert not wrong, "\n".join(wrong)


def test_every_package_and_every_part_of_ours_has_a_layer() -> None:
    packages = {source.part for source in product() if "/" in source.path}
    assert set(IMPORT_LINTER["root_packages"]) == packages
    parts = {
        ".".join(source.module.split(".")[: 2 if source.part == SRE else 1])
        for source in product()
        if "/" in source.path
    }
    assert layered() == parts - {SRE}


def test_every_package_of_ours_is_kept_from_the_compiler() -> None:
    (contract,) = (
        c for c in IMPORT_LINTER["contracts"] if "numba" in c.get("forbidden_modules", ())
    )
    assert contract["source_modules"] == IMPORT_LINTER["root_packages"]


def test_no_relative_imports() -> None:
    relative = [
        source.at(node)
        for source in product()
        for node in walked(source.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, f"they make two classes of each model: {relative}"


def test_the_vocabulary_needs_the_standard_library_alone() -> None:
    vocabulary = [source for source in product() if is_within(source.module, "sre_autopilot.world")]
    assert vocabulary
    assert {s.path: third_party(s) for s in vocabulary if third_party(s)} == {}


def has_a_lock_of_its_own(source: Source) -> bool:
    """Whether it adapts a trainer, whose packages exclude those of other environments."""
    package, _, name = source.module.rpartition(".")
    lock = ROOT / "requirements" / "adapters" / f"{name}.txt"
    return package == f"{SRE}.adapters" and lock.exists()


@pytest.mark.parametrize(
    ("lock", "parts"),
    [
        ("mesh.txt", {"services"}),
        ("server.txt", PACKED - {SRE}),
        ("*.txt", OURS),
    ],
)
def test_every_third_party_import_is_locked(lock: str, parts: set[str]) -> None:
    """Packages of large extras have locks of their own, and may not be installed."""
    locked = {
        name
        for file in (ROOT / "requirements").glob(lock)
        for name in re.findall(r"^([\w.-]+)==", file.read_text(), re.M)
    }
    distributions = packages_distributions()
    missing = [
        f"{source.path} imports {module}"
        for source in product()
        if source.part in parts
        if not has_a_lock_of_its_own(source)
        for module in third_party(source)
        if not {normal(d) for d in distributions.get(module, (module,))} & locked
    ]
    assert not missing, "\n".join([f"not in requirements/{lock}:", *missing])


def test_the_wheel_holds_the_packages_that_users_import() -> None:
    packed = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert set(packed) == PACKED


def test_the_root_package_is_a_docstring() -> None:
    body = ast.parse((ROOT / "__init__.py").read_text()).body
    assert [type(statement) for statement in body] == [ast.Expr]
