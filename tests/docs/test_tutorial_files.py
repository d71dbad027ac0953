"""Each file that the tutorial has its reader save trains as it stands, for a few thousand steps.

make test-extras has the packages, which are large.
"""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.docs.documents import document

MARK, STEPS = "file: ", 4096
FILES = {
    fence.mark.removeprefix(MARK): fence.body
    for fence in document("docs/tutorial.md").fences
    if fence.mark.startswith(MARK)
}
NEEDED = ("sb3_contrib", "stable_baselines3", "torch")
pytestmark = [
    pytest.mark.tutorial,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="make test-extras has them"),
]


def test_the_tutorial_has_a_masked_an_unmasked_and_a_single_file_learner():
    assert {*FILES} == {"maskable_ppo.py", "sb3_ppo.py", "cleanrl_ppo.py"}
    assert "MaskablePPO" in FILES["maskable_ppo.py"]
    assert "stable_baselines3" not in FILES["cleanrl_ppo.py"]


@pytest.mark.parametrize("name", FILES)
def test_a_file_trains_as_it_stands(name: str, tmp_path: Path):
    (tmp_path / name).write_text(FILES[name])
    done = subprocess.run(
        [sys.executable, name, str(STEPS)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"mean score 0\.\d{3}", done.stdout)
