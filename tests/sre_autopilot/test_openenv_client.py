"""The client's classes are OpenEnv's own, and importing them loads none of its server."""

from tests.sre_autopilot.interpreter import output_of


def test_classes_are_those_of_the_whole_package_imported_later() -> None:
    code = """
import json, sys
from sre_autopilot.openenv_client import EnvClient, StepResult, SyncEnvClient
alone = "openenv.core" not in sys.modules
sys.modules["gradio"] = None
import openenv.core
from openenv.core.client_types import StepResult as LaterResult
print(json.dumps([
    alone,
    openenv.core.EnvClient is EnvClient,
    openenv.core.SyncEnvClient is SyncEnvClient,
    LaterResult is StepResult,
    hasattr(openenv.core, "create_fastapi_app"),
]))
"""
    assert output_of(code) == [True] * 5


def test_package_that_is_imported_already_is_left_alone() -> None:
    code = """
import json, sys
sys.modules["gradio"] = None
import openenv.core
whole = sys.modules["openenv.core"]
from sre_autopilot.openenv_client import EnvClient
print(json.dumps([sys.modules["openenv.core"] is whole, openenv.core.EnvClient is EnvClient]))
"""
    assert output_of(code) == [True, True]


def test_client_works_without_the_whole_package() -> None:
    code = """
import json, sys
from sre_autopilot import SREEnv
try:
    SREEnv(base_url="http://127.0.0.1:9").reset()
except OSError as error:
    refused = True
print(json.dumps([refused, "openenv.core" in sys.modules]))
"""
    assert output_of(code) == [True, False]
