"""Each cell of the notebook runs without torch too, in plain Python.

A stand-in for the trainer hands over the shipped weights; `make test-notebook` trains.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sre_autopilot.policies.learned import Learned
from tools.notebook import NOTEBOOK

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]
SCORES = [{"easy": 0.4, "medium": 0.3, "control": 0.5}, {"easy": 0.9, "medium": 0.9, "control": 1}]


def _train(job: Any, watch: Callable[[Any], None]) -> None:
    """As the trainer does: shows its progress, and leaves scores and weights in the folder."""
    job.folder.mkdir(parents=True)
    points = [SimpleNamespace(samples=n, cpu_s=1.0, scores=s) for n, s in enumerate(SCORES)]
    for point in points:
        watch(point)
    lines = [json.dumps({"samples": point.samples, "scores": point.scores}) for point in points]
    (job.folder / "scores.jsonl").write_text("\n".join(lines))
    shutil.copy(Learned.weights, job.folder / "weights.npz")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the cells run, with a trainer and a notebook's display that need no extra."""
    trainer, ipython, display = map(ModuleType, ("trainer", "IPython", "IPython.display"))
    vars(trainer).update(Job=SimpleNamespace, train=_train)
    # Matplotlib asks for both where a module of this name is loaded.
    vars(ipython).update(get_ipython=lambda: None, version_info=(9, 0))
    vars(display).update(Markdown=str)
    monkeypatch.setitem(sys.modules, "sre_autopilot.training.trainer", trainer)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    if plots := sys.modules.get("matplotlib.pyplot"):
        plots.close("all")


def test_each_cell_runs_after_the_one_before_it(folder: Path, capsys: pytest.CaptureFixture[str]):
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    printed = capsys.readouterr().out
    assert "real services: 0." in printed
    assert names["score"].total == pytest.approx(names["reviewed"].debrief.score)
    assert names["real"].seed == names["record"].seed
