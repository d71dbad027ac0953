"""`make validate` prints what each validator says, and names the one that could not run."""

import subprocess
from pathlib import Path

import pytest

PYTHON = """#!/usr/bin/env bash
echo "$*" >>"$LOG"
case "$*" in
"-m openenv.cli validate"*) exit "$TODAY_ENDS" ;;
"-m venv "*)
    mkdir "$3/bin"
    cp "$0" "$3/bin/python"
    printf '#!/usr/bin/env bash\\necho "older $*" >>"$LOG"\\n' >"$3/bin/openenv"
    printf 'exit "$OLDER_ENDS"\\n' >>"$3/bin/openenv"
    chmod +x "$3/bin/openenv" ;;
"-m pip install "*) exit "$PIP_ENDS" ;;
esac
"""
UV = """#!/usr/bin/env bash
echo "uv $*" >>"$LOG"
touch uv.lock
"""
OLDER_SAYS = "older validate"


class Stage:
    """A package, with scripted programs that note their command lines."""

    def __init__(self, package: Path, folder: Path) -> None:
        self.package, self.log, self._folder = package, folder / "log", folder
        for name, text in (("python", PYTHON), ("uv", UV)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def run(self, *, uv="uv", today=0, pip=0, older=0) -> subprocess.CompletedProcess[str]:
        (self._folder / "scratch").mkdir()
        return subprocess.run(
            [self.package / "scripts" / "validate.sh"],
            env={
                "PATH": "/usr/bin:/bin",
                "TMPDIR": str(self._folder / "scratch"),
                "PYTHON": str(self._folder / "python"),
                "UV": str(self._folder / uv),
                "LOG": str(self.log),
                "TODAY_ENDS": str(today),
                "PIP_ENDS": str(pip),
                "OLDER_ENDS": str(older),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def called(self) -> str:
        return self.log.read_text()

    @property
    def left_behind(self) -> list[Path]:
        return list((self._folder / "scratch").iterdir())


@pytest.fixture
def stage(package: Path, tmp_path: Path) -> Stage:
    return Stage(package, tmp_path)


def test_both_validators_judge_the_checkout(stage: Stage) -> None:
    done = stage.run()
    assert (done.returncode, done.stderr) == (0, "")
    today, lock, _venv, install, older = stage.called.splitlines()
    assert today == "-m openenv.cli validate --level static ."
    assert lock == "uv lock --quiet"
    assert install.endswith(" openenv-core==0.3.0")
    assert older == OLDER_SAYS
    assert (stage.package / "uv.lock").exists()
    assert stage.left_behind == []


def test_a_lock_that_is_there_is_taken(stage: Stage) -> None:
    (stage.package / "uv.lock").touch()
    assert stage.run(uv="none").returncode == 0
    assert OLDER_SAYS in stage.called


@pytest.mark.parametrize(("today", "older"), [(1, 0), (0, 1)])
def test_a_finding_of_either_validator_is_an_error(stage: Stage, today: int, older: int) -> None:
    assert stage.run(today=today, older=older).returncode == 1
    assert (OLDER_SAYS in stage.called) is (today == 0)
    assert stage.left_behind == []


@pytest.mark.parametrize(("uv", "pip", "why"), [("none", 0, "uv.lock"), ("uv", 1, "installed")])
def test_a_validator_that_could_not_run_is_named(stage: Stage, uv: str, pip: int, why: str) -> None:
    done = stage.run(uv=uv, pip=pip)
    assert done.returncode == 0
    assert "not judged by openenv-core==0.3.0: " in done.stderr and why in done.stderr
    assert OLDER_SAYS not in stage.called
    assert stage.left_behind == []
