"""`import sre_autopilot` loads nothing; each public name is that of the module that defines it."""

import importlib

import pytest

import sre_autopilot
from tests.sre_autopilot.interpreter import output_of


def test_importing_the_package_imports_no_other_module() -> None:
    code = """
import json, sys
before = set(sys.modules)
import sre_autopilot
print(json.dumps(sorted(set(sys.modules) - before - {"sre_autopilot"})))
"""
    assert output_of(code) == []


def test_client_is_imported_without_a_server_and_without_numpy() -> None:
    code = """
import json, sys
from sre_autopilot import SREAction, SREEnv, SREObservation
heavy = {"fastapi", "fastmcp", "gradio", "gymnasium", "numpy", "openai", "server", "services"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""
    assert output_of(code) == []


@pytest.mark.parametrize("name", sre_autopilot.__all__)
def test_public_name_is_that_of_its_module(name: str) -> None:
    module = importlib.import_module(sre_autopilot._MODULES[name])
    assert getattr(sre_autopilot, name) is getattr(module, name)


def test_public_names_are_listed() -> None:
    assert set(sre_autopilot.__all__) == set(sre_autopilot._MODULES)
    assert set(sre_autopilot.__all__) <= set(dir(sre_autopilot))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'sre_autopilot' has no attribute 'SREEnvironment'"):
        sre_autopilot.SREEnvironment  # noqa: B018
