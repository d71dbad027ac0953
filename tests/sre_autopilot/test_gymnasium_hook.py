"""The environment is registered whichever is imported first, and Gymnasium never for its sake."""

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sre_autopilot import gymnasium_hook
from tests.sre_autopilot.interpreter import output_of

LOOK_UP = """
import json, sys
from gymnasium.envs.registration import registry
print(json.dumps({
    "registered": "SREAutopilot-v0" in registry,
    "finders": [type(f).__name__ for f in sys.meta_path if type(f).__module__ == "sre_autopilot"],
    "loaded": sorted({"numba", "llvmlite", "services", "server"} & set(sys.modules)),
}))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import sre_autopilot; import gymnasium",
        "import gymnasium; import sre_autopilot",
        "import sre_autopilot; import gymnasium.vector",
        "import sre_autopilot, importlib.util; importlib.util.find_spec('gymnasium')",
        "import sre_autopilot.simulator.gym",
    ],
)
def test_environment_is_registered_in_whichever_order(imports: str) -> None:
    outcome = output_of(f"{imports}\n{LOOK_UP}")
    assert outcome == {"registered": True, "finders": [], "loaded": []}


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module that stands for Gymnasium, in which `register` counts its calls."""
    (tmp_path / "gymnasium_stub.py").write_text("registered = 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(gymnasium_hook, "NAME", "gymnasium_stub")

    def register() -> None:
        module: Any = sys.modules["gymnasium_stub"]
        module.registered += 1

    monkeypatch.setattr(gymnasium_hook, "register", register)
    yield
    sys.modules.pop("gymnasium_stub", None)


def load(spec: ModuleSpec) -> ModuleType:
    assert spec.loader is not None
    module = ModuleType(spec.name)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_module_is_registered_once_after_it_was_loaded(stub: None) -> None:
    spec = gymnasium_hook.registering_spec(object())
    assert spec is not None
    module = load(spec)
    assert module.registered == 1
    assert spec.loader is not None
    spec.loader.exec_module(module)
    assert module.registered == 0, "the second load is that of the module alone"


def test_loader_stays_the_one_that_python_found(stub: None) -> None:
    spec = gymnasium_hook.registering_spec(object())
    plain = find_spec("gymnasium_stub")
    assert spec is not None and plain is not None
    assert isinstance(spec.loader, SourceFileLoader)
    # Not SourceFileLoader itself: another package's import hook may have put a loader of its own.
    assert type(spec.loader) is type(plain.loader)


def test_finder_is_removed_when_the_module_was_loaded(
    stub: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asking:
        def find_spec(self, *_: object) -> ModuleSpec | None:
            raise AssertionError("the finder that asks is not asked itself")

    asking = Asking()
    monkeypatch.setattr(sys, "meta_path", [asking, *sys.meta_path])
    spec = gymnasium_hook.registering_spec(asking)
    assert spec is not None
    assert asking in sys.meta_path, "finding is not loading"
    load(spec)
    assert asking not in sys.meta_path


def test_missing_gymnasium_stays_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gymnasium_hook, "NAME", "no_such_module")
    assert gymnasium_hook.registering_spec(object()) is None
