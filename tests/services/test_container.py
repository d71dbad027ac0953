"""A container gets its name and the address of its spans, and nothing else."""

from pathlib import Path

import pytest

from services.container import spec_of
from services.runtime.spec import LOOPBACK, UNUSED_SEED, ProcessSpec
from sre_autopilot.world.stack import CONTROL_PORT, DATA_PORT, REPLICAS, RUNTIME_MEMORY_MB
from sre_autopilot.world.topology import USERS, Service

DATABASE = f"{Service.USER_DB}-1"


@pytest.mark.parametrize("name", [*map(str, REPLICAS), USERS])
def test_every_container_is_what_its_name_says(name: str) -> None:
    spec = spec_of([name], {})
    assert spec.name == name
    assert spec.service_name == (name if name == USERS else name.rpartition("-")[0])


def test_a_container_listens_on_the_ports_of_the_stack_without_an_episode() -> None:
    spec = spec_of([DATABASE], {})
    assert (spec.data_port, spec.control_port) == (DATA_PORT, CONTROL_PORT)
    assert spec.host != LOOPBACK
    assert spec.seed == UNUSED_SEED
    assert spec.runtime_memory_mb == RUNTIME_MEMORY_MB
    assert ProcessSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("version", [0, 1])
def test_quota_of_a_container_is_read_in_either_version_of_cgroups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    files = (tmp_path / "cpu.stat", tmp_path / "cpu" / "cpu.stat")
    (tmp_path / "cpu").mkdir()
    files[version].write_text("nr_throttled 0\n")
    monkeypatch.setattr("services.container.CPU_STATS", files)
    assert spec_of([DATABASE], {}).quota_file == files[version]


def test_container_without_a_count_of_stops_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.container.CPU_STATS", ())
    assert spec_of([DATABASE], {}).quota_file is None


def test_files_of_a_container_go_to_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert spec_of([DATABASE], {}).data_dir == tmp_path


@pytest.mark.parametrize("arguments", [["nobody-0"], [f"{Service.USER_DB}-9"], [], [USERS, USERS]])
def test_an_unknown_name_ends_the_container_with_the_valid_ones(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        spec_of(arguments, {})
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_the_names_there_are_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        spec_of(["--help"], {})
    output = capsys.readouterr().out
    assert all(name in output for name in (DATABASE, USERS))
