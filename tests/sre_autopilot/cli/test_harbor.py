"""`harbor` writes task folders, and says what is missing or wrong."""

import json

import pytest

from sre_autopilot.adapters.harbor import INDEX
from tests.sre_autopilot.cli.terminal import invoke

SECRET = {"SRE_SECRET": "a-secret-that-is-long-enough"}


def test_a_folder_is_written_for_each_seed_and_tier(tmp_path):
    result = invoke("harbor", tmp_path / "out", "--seeds", 2, "--tiers", "easy,hard", **SECRET)
    assert result.exit_code == 0, result.output
    assert "4 tasks" in result.stdout
    rows = [json.loads(line) for line in (tmp_path / "out" / INDEX).read_text().splitlines()]
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert {row["name"] for row in rows} == folders and len(folders) == 4
    again = invoke("harbor", tmp_path / "out", **SECRET)
    assert again.exit_code == 2 and "a new folder" in again.stderr.replace("\n", " ")


def test_image_and_backend_are_those_of_the_compose_file(tmp_path):
    options = ("--seeds", 1, "--tiers", "easy", "--image", "mine:2", "--backend", "simulator")
    assert invoke("harbor", tmp_path / "out", *options, **SECRET).exit_code == 0
    (file,) = (tmp_path / "out").glob("*/environment/docker-compose.yaml")
    assert 'image: "mine:2"' in file.read_text() and '"simulator"' in file.read_text()


@pytest.mark.parametrize(
    ("options", "variables", "message"),
    [
        ((), {}, "SRE_SECRET is not set"),
        ((), {"SRE_SECRET": "short"}, "at least 16 characters"),
        (("--split", "dev"), SECRET, "train, validation, test"),
        (("--tiers", "harder"), SECRET, "easy, medium"),
        (("--seeds", 10_001), SECRET, "from 1 to 10000"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, options, variables, message):
    result = invoke("harbor", tmp_path / "out", *options, **variables)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")
    assert not (tmp_path / "out").exists()
