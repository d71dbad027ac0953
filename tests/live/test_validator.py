"""OpenEnv's own validator builds, runs and judges the environment, on this engine."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from openenv.validation.providers.docker import DockerValidationProvider
from openenv.validation.report import ValidationReport
from openenv.validation.runner import run_validation
from openenv.validation.types import CheckStatus, Verdict

from tests.architecture.source import ROOT, committed_files
from tests.live.conftest import BUILD_TIMEOUT_S

pytestmark = [pytest.mark.live, pytest.mark.timeout(2 * BUILD_TIMEOUT_S)]

HELPER = "sre-env-network-helper"
MEASURED = {
    f"runtime.{check}"
    for check in (
        "startup",
        "reward_well_formed",
        "observation_schema",
        "state_contract",
        "network_policy",
    )
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The tree as a clone has it: the validator refuses one that changes under its eyes."""
    for path in committed_files():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def provider(engine: docker.DockerClient) -> Iterator[DockerValidationProvider]:
    """With a helper made here: its own comes from a registry, which not every machine reaches.

    The helper needs Python and nothing else, so the first stage of our image will do.
    """
    stage = ["docker", "build", "--target", "python", "-t", HELPER, "."]
    subprocess.run(stage, cwd=ROOT, check=True, capture_output=True, timeout=BUILD_TIMEOUT_S)
    provider = DockerValidationProvider(build_timeout_s=BUILD_TIMEOUT_S)
    provider.helper_image = engine.images.get(HELPER).id
    yield provider
    engine.images.remove(HELPER, noprune=True)


@pytest.fixture
def report(
    engine: docker.DockerClient, package: Path, provider: DockerValidationProvider
) -> Iterator[ValidationReport]:
    report = run_validation(package, provider=provider)
    yield report
    # The validator leaves the image that it built; an image without a name is removed.
    built = {result.measured.get("image_ref") for result in report.results} - {None}
    for image in map(engine.images.get, built):
        if not image.tags:
            engine.images.remove(image.id, noprune=True)


# The validator's own habit, seen from within its process.
@pytest.mark.filterwarnings("ignore:connect.. must be used as a context:DeprecationWarning")
def test_everything_that_the_validator_measures_passes(report: ValidationReport) -> None:
    results = {result.check_id: result for result in report.results}
    failed = [r for r in report.results if r.status in {CheckStatus.FAIL, CheckStatus.ERROR}]
    assert not failed, failed
    assert {name for name in MEASURED if results[name].status is CheckStatus.PASS} == MEASURED
    assert report.verdict is not Verdict.FAIL
