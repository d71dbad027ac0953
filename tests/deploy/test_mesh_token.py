"""scripts/mesh_token.sh: a stack has a token before it starts, and keeps it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

LINE = re.compile(r"SRE_MESH_TOKEN=[A-Za-z0-9_-]{32}")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "mesh_token.sh", tmp_path / "scripts")
    return tmp_path


def draw(checkout: Path, **environ: str) -> str:
    own = {name: text for name, text in os.environ.items() if not name.startswith("SRE_")}
    script = [str(checkout / "scripts" / "mesh_token.sh")]
    ran = subprocess.run(script, env={**own, **environ}, capture_output=True, text=True, check=True)
    assert ran.stdout == ran.stderr == ""
    file = checkout / ".env"
    return file.read_text() if file.exists() else ""


def test_a_token_is_drawn_once_for_its_owner_alone(checkout: Path) -> None:
    text = draw(checkout)
    assert LINE.fullmatch(text.strip())
    assert (checkout / ".env").stat().st_mode & 0o777 == 0o600
    assert draw(checkout) == text


@pytest.mark.parametrize("before", ["SRE_PORT=8001", "SRE_PORT=8001\n", "SRE_MESH_TOKEN=\nA=1\n"])
def test_other_lines_of_the_file_are_kept(checkout: Path, before: str) -> None:
    (checkout / ".env").write_text(before)
    *kept, drawn = draw(checkout).splitlines()
    assert kept == before.splitlines()
    assert LINE.fullmatch(drawn)


def test_a_token_of_the_environment_is_the_users(checkout: Path) -> None:
    assert draw(checkout, SRE_MESH_TOKEN="mine") == ""
