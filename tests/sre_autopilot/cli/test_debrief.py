"""`debrief` writes a postmortem in three formats, and names what it cannot read."""

import json

import pytest

from sre_autopilot import grading
from sre_autopilot.grading import Verdict
from sre_autopilot.world.vocabulary import Tier
from tests.sre_autopilot.cli.terminal import invoke, simulated


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("records") / "episode.jsonl"
    record = simulated("oracle", Tier.EASY, 4)[0]
    path.write_text("\n".join(grading.dump_lines(record)) + "\n", encoding="ascii")
    return path


def test_markdown_is_the_default(file):
    result = invoke("debrief", file)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("# Postmortem: easy, seed 4\n")


def test_json_has_both_parts(file):
    result = invoke("debrief", file, "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["debrief"]["exact"] is True
    assert made["postmortem"]["score"] == pytest.approx(made["debrief"]["score"])


def test_a_page_holds_its_picture_and_loads_nothing(file):
    pytest.importorskip("matplotlib", reason="the extra eval is not installed")
    out = file.with_suffix(".html")
    assert invoke("debrief", file, "--html", "--out", out).exit_code == 0
    page = out.read_text()
    assert page.startswith("<!doctype html>")
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page


def test_two_formats_at_once_are_refused(file):
    result = invoke("debrief", file, "--html", "--json")
    assert result.exit_code == 2
    assert "--html, --markdown, --json" in result.stderr


def test_a_record_of_another_world_is_refused_by_name(file, tmp_path):
    lines = file.read_text().splitlines()
    header = {**json.loads(lines[0]), "world_version": "0"}
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join([json.dumps(header), *lines[1:]]) + "\n")
    result = invoke("debrief", other)
    assert result.exit_code == 2
    assert "world_version" in result.stderr


def test_a_postmortem_says_what_its_score_is_worth(file, tmp_path):
    """A record that ends in the middle of a line, of a machine that was too busy."""
    lines = file.read_text().splitlines()
    cut = tmp_path / "cut.jsonl"
    cut.write_text("\n".join(lines[:3]) + "\n" + lines[3][:40])
    result = invoke("debrief", cut)
    assert result.exit_code == 0, result.output
    assert "About this score: aborted: the file ends after step 1." in result.stdout
    end = json.loads(lines[-1])
    end["validity"] |= {"verdict": Verdict.CONTENDED}
    busy = tmp_path / "busy.jsonl"
    busy.write_text("\n".join([*lines[:-1], json.dumps(end)]) + "\n")
    for words in ((), ("--html",), ("--json",)):
        assert Verdict.CONTENDED in invoke("debrief", busy, *words).stdout
