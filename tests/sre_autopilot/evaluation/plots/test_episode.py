"""The picture of a recorded episode has its truth and its actions."""

import numpy as np
import pytest

from sre_autopilot import grading
from sre_autopilot.cli.dev.plot_episode import command
from sre_autopilot.cli.errors import BadInput
from sre_autopilot.evaluation.plots import episode as picture
from sre_autopilot.world.sla import P99_LIMIT_MS
from sre_autopilot.world.topology import Service
from tools.excerpts import EXAMPLE

PNG = b"\x89PNG"


@pytest.fixture
def record():
    (record,) = grading.read_episodes(EXAMPLE.read_text(encoding="ascii").splitlines())
    return record


def test_every_service_has_a_line_in_every_panel(record):
    for panel in picture.draw(record).axes:
        labels = {line.get_label() for line in panel.get_lines()}
        assert set(Service) <= labels


def test_lines_are_the_truth(record):
    panel = picture.draw(record).axes[0]
    (line,) = (li for li in panel.get_lines() if li.get_label() == Service.API_GATEWAY)
    latencies_ms = [step.true[Service.API_GATEWAY].latency_p99 for step in record.steps]
    assert np.asarray(line.get_ydata()).tolist() == latencies_ms
    assert any(
        np.asarray(li.get_ydata()).tolist() == [P99_LIMIT_MS] * 2 for li in panel.get_lines()
    )


def test_interventions_are_named_and_the_cure_is_marked(record):
    notes = [text.get_text() for text in picture.draw(record).axes[0].texts]
    assert len(notes) == len(record.interventions)
    assert [note.endswith("*") for note in notes] == [
        bool(action.cures) for _, action in record.interventions
    ]


def test_command_writes_a_png(tmp_path):
    out = tmp_path / "episode.png"
    command(EXAMPLE, out)
    assert out.read_bytes().startswith(PNG)


@pytest.mark.parametrize("text", ["", "no record"])
def test_file_that_holds_no_episode_is_named(tmp_path, text):
    bad = tmp_path / "bad.jsonl"
    bad.write_text(text)
    with pytest.raises(BadInput, match=r"bad\.jsonl"):
        command(bad, tmp_path / "out.png")
