"""`dev ladder` writes figures of the simulator beside those of graded runs."""

import pytest

from sre_autopilot.evaluation.ladder.document import Ladder
from sre_autopilot.evaluation.results import Result
from sre_autopilot.world.vocabulary import WORLD_VERSION, Tier
from tests.sre_autopilot.cli.terminal import invoke

SMALL = ("--policies", "wait", "--seeds", 2, "--bound-seeds", 0)


def test_command_writes_figures_and_leaves_the_page_alone(tmp_path):
    played = Result(
        world_version=WORLD_VERSION, backend="process", policy="wait", tier=Tier.EASY, seed=200_000,
        score=0.5, recovered_at=None, first_broken_at=1, sla_met_ratio=0.9, duration_s=1.0,
    )  # fmt: skip
    others = ({"policy": "sweep_restart"}, {"backend": "docker", "score": 0.7})
    all_played = (*(played.model_copy(update=change) for change in others), played)
    lines = (each.model_dump_json() for each in all_played)
    (tmp_path / "process.jsonl").write_text("\n".join(lines) + "\n")
    out = tmp_path / "ladder.json"
    result = invoke("dev", "ladder", *SMALL, "--results", tmp_path, "--out", out, COLUMNS="200")
    assert result.exit_code == 0, result.output
    ladder = Ladder.read(out)
    assert [(rung.world, rung.policy) for rung in ladder.rungs] == [
        ("simulator", "wait"),
        ("process", "wait"),
        ("docker", "wait"),
    ]
    assert ladder.rungs[1].tiers[0].mean.mean == 0.5
    assert ladder.rungs[2].tiers[0].mean.mean == 0.7
    assert "simulator" in result.stdout and "process" in result.stdout
    more = played.model_copy(update={"backend": "docker", "score": 0.9, "seed": 200_001})
    with (tmp_path / "process.jsonl").open("a") as results:
        results.write(more.model_dump_json() + "\n")
    arguments = ("--real-only", "--results", tmp_path, "--out", out)
    assert invoke("dev", "ladder", *arguments, COLUMNS="200").exit_code == 0
    again = Ladder.read(out)
    assert again.rungs[:2] == ladder.rungs[:2]
    assert [rung.policy for rung in again.rungs] == ["wait"] * 3
    assert again.rungs[2].tiers[0].mean.mean == 0.8


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--weights", "learned"), "NAME=FILE"),
        (("--weights", "learned=none.npz"), "none.npz"),
        (("--policies", "genius"), "genius"),
        (("--real-only",), "--policies"),
    ],
)
def test_bad_input_is_named(tmp_path, arguments, word):
    out = tmp_path / "ladder.json"
    result = invoke("dev", "ladder", *SMALL, *arguments, "--out", out)
    assert result.exit_code == 2, result.output
    assert word in result.stderr and not out.exists()
