"""Harbor: task folders have what it asks for, and tell an agent neither seed nor tier."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from sre_autopilot.adapters.harbor import (
    INDEX,
    HarborOptions,
    files,
    folder_name,
    write_tasks,
)
from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.errors import InvalidValue
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.adapters import engineer

SECRET = "a-secret-that-is-long-enough"
OPTIONS = HarborOptions(SECRET, image="registry/sre:1", backend="simulator")
TASK = Task.parse(engineer.KEY)
FILES = files(TASK, OPTIONS)
COMPOSE, MANIFEST = "environment/docker-compose.yaml", "task.toml"
AGENTS = FILES.keys() - {COMPOSE}
"""All but what Harbor reads on the host."""
FIELDS = {
    "": {"schema_version", "task", "metadata", "agent", "verifier", "environment"},
    "task": {"name", "description", "authors", "keywords"},
    "agent": {"timeout_sec", "user"},
    "verifier": {"timeout_sec", "user", "env"},
    "environment": {"build_timeout_sec", "docker_image", "cpus", "memory_mb", "storage_mb", "env"},
}
"""Of Harbor's own models, in all versions of its schema from 1.1 to 1.4."""


def compose():
    return yaml.safe_load(FILES[COMPOSE])


def test_a_folder_has_the_files_that_harbor_asks_for():
    assert FILES.keys() == {
        *(MANIFEST, "instruction.md", "environment/Dockerfile", COMPOSE),
        *("tests/test.sh", "solution/solve.sh"),
    }
    assert not [path for path, text in FILES.items() if re.search(r"@[A-Z]+@", text)]


def test_the_manifest_has_fields_of_harbor_s_schema_alone():
    manifest = tomllib.loads(FILES[MANIFEST])
    for section, allowed in FIELDS.items():
        of_section = manifest[section] if section else manifest
        assert of_section.keys() <= allowed
    organisation, name = manifest["task"]["name"].split("/")
    assert re.fullmatch(r"[a-zA-Z0-9][\w.-]*", organisation)
    assert name == folder_name(TASK, SECRET)
    assert manifest["agent"]["user"] != manifest["verifier"]["user"] == "root"


@pytest.mark.parametrize("path", sorted(AGENTS))
def test_no_file_but_the_host_s_tells_seed_or_tier(path):
    text = FILES[path]
    assert TASK.key not in text and SECRET not in text
    assert text.replace(folder_name(TASK, SECRET), "") == files(Task(Tier.HARD, 200_017), OPTIONS)[
        path
    ].replace(folder_name(Task(Tier.HARD, 200_017), SECRET), "")


def test_no_file_is_copied_into_the_agent_s_container():
    words = {line.split(" ")[0] for line in FILES["environment/Dockerfile"].splitlines()}
    assert words & {"COPY", "ADD", "ARG", "ENV"} == set()
    assert compose()["services"]["main"].keys() == {"environment", "depends_on"}
    assert {*compose()["services"]["main"]["environment"].values()} == {"sre"}


def test_the_second_service_is_judged_by_a_secret_of_the_host_s():
    service = compose()["services"]["sre"]
    assert service["image"] == "registry/sre:1"
    assert service["environment"]["SRE_BACKEND"] == "simulator"
    assert service["environment"]["SRE_SECRET"].startswith("${SRE_SECRET:?")
    assert service["command"][-3] == TASK.key and "ports" not in service
    assert SECRET not in FILES[COMPOSE]


def test_names_follow_from_the_secret_and_from_nothing_else():
    keys = tasks_of("test", 20, [*Tier])
    names = {folder_name(task, SECRET) for task in keys}
    assert len(names) == len(keys)
    assert names & {folder_name(task, SECRET + "x") for task in keys} == set()
    assert all(re.fullmatch("sre-[0-9a-f]{12}", name) for name in names)


def test_folders_are_written_with_an_index_beside_them(tmp_path: Path):
    tasks = tasks_of("validation", 2, [Tier.EASY, Tier.HARD])
    write_tasks(tmp_path / "tasks", tasks, OPTIONS)
    rows = [json.loads(line) for line in (tmp_path / "tasks" / INDEX).read_text().splitlines()]
    assert [row["task"] for row in rows] == [task.key for task in tasks]
    assert {row["split"] for row in rows} == {"validation"}
    for row, task in zip(rows, tasks, strict=True):
        folder = tmp_path / "tasks" / row["name"]
        for path, text in files(task, OPTIONS).items():
            assert (folder / path).read_text() == text
        assert os.access(folder / "tests/test.sh", os.X_OK)
    with pytest.raises(InvalidValue, match="a new folder"):
        write_tasks(tmp_path / "tasks", tasks, OPTIONS)


def test_harbor_itself_reads_a_folder(tmp_path: Path):
    models = pytest.importorskip("harbor.models.task.task", reason="make test-trainers has Harbor")
    write_tasks(tmp_path, [TASK], OPTIONS)
    task = models.Task(tmp_path / folder_name(TASK, SECRET))
    assert task.config.agent.user == "agent" and task.config.verifier.user == "root"
    assert "curl" in task.instruction and task.paths.test_path.is_file()
