"""OpenEnv's validators judge the environment: its manifest, its files, its server, an episode."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from openenv.validation.manifest import NormalizedManifestV2
from openenv.validation.parsers.openenv_yaml import OpenEnvYamlParser
from openenv.validation.runner import run_validation
from openenv.validation.runtime.contracts import RuntimePlan, load_runtime_plan
from openenv.validation.types import CheckStatus, Level
from typer.testing import CliRunner, Result

from orchestrator.environment import Environment
from server.environment import DESCRIPTION, NAME
from server.mcp import make_tools
from sre_autopilot.models import SREAction
from sre_autopilot.simulator import NAME as SIMULATOR
from sre_autopilot.world.vocabulary import MAX_STEPS, SEED_SPLITS, ActionName
from tests.architecture.source import ROOT
from tests.validation.local_provider import LocalProvider, Server
from tests.watched_simulator import WatchedSimulator

pytestmark = pytest.mark.timeout(180)

URL_CRITERIA = {
    "openapi_version_available",
    "health_endpoint",
    "metadata_endpoint",
    "schema_endpoint",
    "mcp_endpoint",
    "mode_endpoint_consistency",
}
PASSES = {
    "static.manifest",
    "runtime.startup",
    "runtime.reward_well_formed",
    "runtime.observation_schema",
    "runtime.state_contract",
}
WANTS_A_SANDBOX = "runtime.network_policy"


def validate(*arguments: str) -> Result:
    """What `openenv validate` prints and exits with, in this process."""
    from openenv.cli.__main__ import app as openenv_command  # noqa: PLC0415 - takes a second

    return CliRunner().invoke(openenv_command, ["validate", "--json", *arguments])


@pytest.fixture(scope="module")
def manifest() -> NormalizedManifestV2:
    return OpenEnvYamlParser().parse(ROOT)


@pytest.fixture(scope="module")
def plan(manifest: NormalizedManifestV2) -> RuntimePlan:
    return load_runtime_plan(ROOT, manifest.execution)


def test_the_static_level_passes_on_a_clone(package: Path) -> None:
    done = validate("--level", "static", str(package))
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["verdict"] == "pass"
    assert [(check["check_id"], check["status"]) for check in report["results"]] == [
        ("static.manifest", "pass")
    ]


@pytest.mark.parametrize(
    ("declared", "wrong"),
    [
        ("oracle_tolerance: 0.1", "oracle_tolerance: 0.2"),
        ("floor_margin: 0.5", "floor_margin: 0.0"),
        ("episode_timeout_s: 120", "episode_timeout_s: 36000"),
        ("kind: reward_channel", "kind: guess"),
    ],
)
def test_the_static_level_would_see_it(package: Path, declared: str, wrong: str) -> None:
    text = (package / "openenv.yaml").read_text()
    assert declared in text
    (package / "openenv.yaml").write_text(text.replace(declared, wrong))
    report = run_validation(package, max_level=Level.STATIC)
    assert [check.status for check in report.results] == [CheckStatus.FAIL]


def test_the_package_deploys_in_every_mode_once_there_is_a_lock(package: Path) -> None:
    from openenv.cli._validation import validate_multi_mode_deployment  # noqa: PLC0415 - likewise

    assert validate_multi_mode_deployment(package)[1] == [
        "Missing uv.lock - run 'uv lock' to generate it"
    ]
    (package / "uv.lock").touch()
    assert validate_multi_mode_deployment(package) == (True, [])


def test_a_running_server_meets_every_criterion(server: Server) -> None:
    done = validate("--url", server.base_url)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert {criterion["id"] for criterion in report["criteria"]} == URL_CRITERIA
    assert all(criterion["passed"] for criterion in report["criteria"])
    assert (report["mode"], report["standard_profile"]) == ("simulation", "openenv-http/1.x")


@pytest.mark.filterwarnings(r"ignore:connect\(\) must be used as a context:DeprecationWarning")
def test_the_runtime_plan_passes_on_a_real_server(
    package: Path, manifest: NormalizedManifestV2, plan: RuntimePlan, tmp_path: Path
) -> None:
    """As `openenv validate` does it, with a process in place of its sandbox.

    The warning is of OpenEnv's own use of its WebSocket library.
    """
    report = run_validation(package, provider=LocalProvider(), artifacts_dir=tmp_path / "bundle")
    status = {check.check_id: check.status for check in report.results}
    passed = {name for name, verdict in status.items() if verdict is CheckStatus.PASS}
    assert passed == PASSES, report
    assert status[WANTS_A_SANDBOX] is CheckStatus.SKIP
    assert set(status.values()) == {CheckStatus.PASS, CheckStatus.SKIP}
    trace = json.loads((tmp_path / "bundle" / "collector-trace.json").read_text())
    steps = [row["response_json"]["data"] for row in trace if row["operation"] == "step"]
    assert [step["done"] for step in steps] == [False] * (MAX_STEPS - 1) + [True]
    assert [step["reward"] for step in steps[:-1]] == [0.0] * (MAX_STEPS - 1)
    assert 0.01 <= steps[-1]["reward"] <= manifest.reward.range[1] - manifest.reward.floor_margin


def test_the_plan_shows_every_action_and_mends_nothing(plan: RuntimePlan) -> None:
    actions = [SREAction.model_validate(action) for action in plan.actions]
    assert len(actions) == MAX_STEPS
    assert {action.action for action in actions} == set(ActionName)
    assert plan.reset.seed in SEED_SPLITS["train"]
    with Environment(WatchedSimulator) as environment:
        environment.reset(seed=plan.reset.seed, **plan.reset.options)
        observations = [environment.step(action) for action in actions]
        faults = environment.hidden_state().faults
    assert [observation.last_action_error for observation in observations] == [None] * MAX_STEPS
    assert {fault.root for fault in faults}.isdisjoint(action.service_id for action in actions)


def test_the_oracle_scores_what_is_declared(
    package: Path, manifest: NormalizedManifestV2, plan: RuntimePlan
) -> None:
    oracle = manifest.capabilities.oracle
    done = subprocess.run(
        [package / oracle.location],
        env={**os.environ, "PYTHON": sys.executable, "SRE_BACKEND": SIMULATOR},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["tier"], result["seed"]) == (plan.reset.options["task_tier"], plan.reset.seed)
    assert result["score"] >= manifest.reward.range[1] - manifest.reward.oracle_tolerance


def test_the_manifest_names_the_environment(manifest: NormalizedManifestV2) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # OpenEnv's AutoEnv finds an environment in the distribution of its name with this prefix.
    assert project["name"] == f"openenv-{manifest.name}"
    assert manifest.version == project["version"]
    assert manifest.name == NAME
    assert DESCRIPTION in " ".join((ROOT / "openenv.yaml").read_text().split())


@pytest.mark.anyio
async def test_the_declared_tools_are_the_tools(manifest: NormalizedManifestV2) -> None:
    with Environment(WatchedSimulator) as environment:
        tools = await make_tools(environment).list_tools()  # type: ignore[arg-type]
    assert sorted(tool.name for tool in tools) == sorted(manifest.capabilities.declared_tools)
