"""Each file that the tutorial has its reader save trains as it stands, for a few thousand steps.

make test-extras has the packages, which are large.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.documents import document
from tests.docs.reader import files, run_python

STEPS = 4096
FILES = files(document("docs/tutorial.md"))
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
    printed = run_python(tmp_path, name, str(STEPS))
    assert re.search(r"mean score 0\.\d{3}", printed)
