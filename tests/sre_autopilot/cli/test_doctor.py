"""`doctor` reads this machine, prints a table or JSON, and fails only where something must be."""

import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.recorder import is_writable
from sre_autopilot.cli import doctor, machine
from sre_autopilot.cli.checks import checks
from sre_autopilot.cores import usable_cores
from tests.sre_autopilot.cli.terminal import invoke, is_narrow
from tests.sre_autopilot.cli.test_checks import FIT

MIB = 2**20


@pytest.fixture
def fit(monkeypatch):
    monkeypatch.setattr(doctor, "read_machine", lambda _environ, _ports: FIT)


@pytest.fixture
def root(tmp_path):
    """A root folder of a machine whose files are written by the test."""

    def write(**files):
        for name, text in files.items():
            file = tmp_path / name.replace("__", "/").replace("_DOT_", ".")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def test_a_fit_machine_gets_the_next_command(fit):
    result = invoke("doctor")
    assert result.exit_code == 0
    assert "Next: sre-autopilot demo" in result.stdout
    assert is_narrow(result.stdout)


def test_warnings_are_no_failure(monkeypatch):
    changed = machine.Machine(**{**fields(), "docker": None, "has_numba": False})
    monkeypatch.setattr(doctor, "read_machine", lambda _environ, _ports: changed)
    result = invoke("doctor")
    assert result.exit_code == 0
    assert "with the restrictions above" in result.stdout
    assert "[sim]'" in result.stdout and is_narrow(result.stdout)


def test_a_failure_ends_with_status_1(monkeypatch):
    changed = machine.Machine(**{**fields(), "versions": {}})
    monkeypatch.setattr(doctor, "read_machine", lambda _environ, _ports: changed)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "Mend what fails first" in result.stdout


def fields():
    return {name: getattr(FIT, name) for name in FIT.__dataclass_fields__}


def test_wrong_settings_fail_and_name_the_variable(fit):
    result = invoke("doctor", SRE_MAX_SESSIONS="0")
    assert result.exit_code == 1
    assert "SRE_MAX_SESSIONS" in result.stdout


def test_json_lists_every_check(fit):
    listed = json.loads(invoke("doctor", "--json").stdout)
    assert {"name", "status", "fact", "advice"} == set(listed[0])
    assert [check["name"] for check in listed[:2]] == ["settings", "Python"]


def test_resources_of_the_real_machine_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_answer", lambda *_command: (None, "not asked in this test"))
    here = machine.read_machine({"XDG_CACHE_HOME": str(tmp_path)}, ())
    assert here.python >= (3, 11) and here.cores > 0 and here.mesh_cores > 0 and here.meshes >= 1
    assert here.memory_mb is None or here.memory_mb > 0
    assert "numpy" in here.versions
    assert here.docker_problem == "not asked in this test"


def test_user_without_a_home_is_told_where_compiled_code_can_be_kept(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(machine, "_answer", lambda *_command: (None, "not asked in this test"))
    here = machine.read_machine({}, ())
    assert here.cache_folder is None
    verdict = {check.name: check for check in checks(here)}["compiled code"]
    assert verdict.fact == "no home directory" and "XDG_CACHE_HOME" in verdict.advice


def test_a_port_that_another_program_listens_on_is_taken():
    with closing(socket.create_server(("0.0.0.0", 0))) as listener:
        port = listener.getsockname()[1]
        assert machine.is_taken(port)
    assert not machine.is_taken(port)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"proc__meminfo": "MemTotal: 9 kB\nMemAvailable:  4096 kB\n"}, 4.0),
        (
            {
                "proc__meminfo": "MemAvailable:  8192 kB\n",
                "sys__fs__cgroup__memory_DOT_max": f"{3 * MIB}\n",
                "sys__fs__cgroup__memory_DOT_current": f"{MIB}\n",
            },
            2.0,
        ),
        (
            {
                "proc__meminfo": "MemAvailable:  8192 kB\n",
                "sys__fs__cgroup__memory_DOT_max": "max\n",
                "sys__fs__cgroup__memory_DOT_current": f"{MIB}\n",
            },
            8.0,
        ),
        (
            {
                "sys__fs__cgroup__memory__memory_DOT_limit_in_bytes": f"{6 * MIB}\n",
                "sys__fs__cgroup__memory__memory_DOT_usage_in_bytes": f"{MIB}\n",
            },
            5.0,
        ),
    ],
)
def test_available_memory_respects_the_control_group(root, files, expected):
    assert machine.memory_mb(root(**files)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8.0),
        ({"sys__fs__cgroup__cpu_DOT_max": "150000 100000\n"}, 1.5),
        ({"sys__fs__cgroup__cpu_DOT_max": "max 100000\n"}, 8.0),
        (
            {
                "sys__fs__cgroup__cpu__cpu_DOT_cfs_quota_us": "50000\n",
                "sys__fs__cgroup__cpu__cpu_DOT_cfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            {
                "sys__fs__cgroup__cpu__cpu_DOT_cfs_quota_us": "-1\n",
                "sys__fs__cgroup__cpu__cpu_DOT_cfs_period_us": "100000\n",
            },
            8.0,
        ),
    ],
)
def test_cores_respect_the_quota_of_the_control_group(root, files, expected, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)))
    assert usable_cores(root(**files)) == expected


def test_a_folder_is_writable_where_it_can_be_made(tmp_path):
    assert is_writable(tmp_path / "a" / "b")
    assert not is_writable(tmp_path.joinpath("/proc/1/none"))


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("no-such-program",), (None, "no-such-program is not installed")),
        (("echo", "27.1"), ("27.1", "")),
        (("sh", "-c", "echo refused >&2; exit 1"), (None, "refused")),
        (("true",), (None, "no answer")),
    ],
)
def test_a_program_answers_or_its_problem_is_kept(command, answer):
    assert machine._answer(*command) == answer
