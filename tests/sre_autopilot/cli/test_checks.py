"""Verdicts on made-up machines: what is ok, what is a warning, what fails, and what to do."""

from dataclasses import replace
from pathlib import Path

import pytest

from sre_autopilot.cli.checks import Status, checks
from sre_autopilot.cli.machine import Machine
from sre_autopilot.distribution import extra_command
from sre_autopilot.world.stack import METRICS_PORT, SERVER_PORT

FIT = Machine(
    python=(3, 12),
    system="Linux",
    has_proc=True,
    has_prctl=True,
    cores=4.0,
    mesh_cores=0.3,
    meshes=5,
    memory_mb=8000.0,
    taken_ports=frozenset(),
    docker="27.1",
    docker_problem="",
    compose="2.29",
    has_numba=True,
    cache_folder=Path("/home/someone/.cache/sre-autopilot"),
    cache_is_writable=True,
    cache_is_warm=True,
    requirements=("numpy<3,>=2.2", 'scipy>=1.15; extra == "eval"', 'torch>=2; extra == "local"'),
    versions={"numpy": "2.3.1", "scipy": "1.16.0"},
    environ={},
    temp_folder=Path("/tmp"),
    temp_free_mb=9000.0,
)


def verdicts(**changes):
    return {check.name: check for check in checks(replace(FIT, **changes))}


def test_a_fit_machine_is_ok_throughout():
    assert {check.status for check in checks(FIT)} == {Status.OK}
    assert all(check.advice == "" for check in checks(FIT))


@pytest.mark.parametrize(
    ("name", "changes", "status", "words"),
    [
        ("Python", {"python": (3, 10)}, Status.FAIL, "3.11 or newer"),
        ("Python", {"python": (3, 14)}, Status.WARN, "tested up to 3.13"),
        ("packages", {"requirements": None}, Status.WARN, "make setup"),
        ("packages", {"versions": {}}, Status.FAIL, "numpy is not installed"),
        ("packages", {"versions": {"numpy": "1.26"}}, Status.FAIL, "numpy 1.26 is not <3,>=2.2"),
        (
            "extras",
            {"versions": {"numpy": "2.3", "scipy": "1.1"}},
            Status.WARN,
            extra_command("all"),
        ),
        ("system", {"system": "Darwin", "has_proc": False}, Status.WARN, "Darwin without /proc"),
        ("system", {"has_prctl": False}, Status.WARN, "--backend simulator"),
        ("cores", {"cores": 0.5}, Status.WARN, "--backend simulator"),
        ("memory", {"memory_mb": 300.0}, Status.WARN, "300 MiB available"),
        ("memory", {"memory_mb": None}, Status.WARN, "unknown"),
        ("temp folder", {"temp_free_mb": 100.0}, Status.WARN, "TMPDIR"),
        ("temp folder", {"temp_free_mb": 1.0}, Status.FAIL, "TMPDIR"),
        ("server port", {"taken_ports": {SERVER_PORT}}, Status.WARN, "--port"),
        ("metrics port", {"taken_ports": {METRICS_PORT}}, Status.WARN, "SRE_METRICS_PORT=0"),
        ("Numba", {"has_numba": False}, Status.WARN, extra_command("sim")),
        ("compiled code", {"cache_is_writable": False}, Status.WARN, "XDG_CACHE_HOME"),
        ("compiled code", {"cache_is_warm": False}, Status.OK, "the first use"),
        (
            "Docker engine",
            {"docker": None, "docker_problem": "permission denied"},
            Status.WARN,
            "permission denied",
        ),
        ("Docker Compose", {"compose": None}, Status.WARN, "compose plugin"),
        ("proxies", {"environ": {"https_proxy": "http://p:1"}}, Status.WARN, "NO_PROXY"),
        (
            "proxies",
            {"environ": {"HTTPS_PROXY": "http://p:1", "no_proxy": "localhost,127.0.0.1"}},
            Status.OK,
            "HTTPS_PROXY set",
        ),
    ],
)
def test_a_wrong_fact_is_named_with_what_to_do(name, changes, status, words):
    changed = verdicts(**changes)
    check = changed.pop(name)
    assert check.status is status
    assert words in f"{check.fact}; {check.advice}"
    assert {other.status for other in changed.values()} <= {Status.OK}


def test_without_numba_nothing_is_said_of_its_cache():
    assert "compiled code" not in verdicts(has_numba=False)


def test_extras_that_are_absent_are_listed_and_no_problem():
    check = verdicts()["extras"]
    assert check.status is Status.OK and check.fact == "not installed: torch"


def test_a_check_as_json_has_plain_values():
    (check, *_) = checks(FIT)
    assert check.as_json() == {"name": "Python", "status": "ok", "fact": "3.12", "advice": ""}
