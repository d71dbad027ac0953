"""`dataset` makes the same files of the same plan, takes in records, and says how to load them."""

import gzip
import json

import pytest
import yaml

from sre_autopilot.dataset.files import TABLES, schema
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier
from tests.architecture.source import ROOT
from tests.sre_autopilot.cli.terminal import invoke, simulated

JSON_LINES = ("--formats", "jsonl.gz")
SMALL = ("--policies", "oracle,wait", "--tiers", Tier.EASY, *JSON_LINES)


def rows(folder, table, split="train"):
    with gzip.open(folder / table / f"{split}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def test_the_same_plan_makes_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        result = invoke("dataset", tmp_path / name, "--seeds", 2, *SMALL)
        assert result.exit_code == 0, result.output
    for table in TABLES:
        first, second = (
            (tmp_path / name / table / "train.jsonl.gz").read_bytes() for name in ("one", "two")
        )
        assert first == second
    episodes = rows(tmp_path / "one", "episodes")
    assert [(e["policy"], e["seed"]) for e in episodes] == [
        ("oracle", 0), ("wait", 0), ("oracle", 1), ("wait", 1),
    ]  # fmt: skip
    steps = rows(tmp_path / "one", "steps")
    assert len(steps) == sum(episode["steps"] + 1 for episode in episodes)
    assert json.loads((tmp_path / "one/schema.json").read_text()) == schema()


def test_records_are_taken_in_beside_simulated_episodes(tmp_path):
    seed = SEED_SPLITS["test"][0]
    record, _score = simulated("runbook", Tier.MEDIUM, seed, record_dir=tmp_path / "records")
    aborted = (tmp_path / f"records/{record.episode_id}.jsonl").read_text().splitlines()[:-1]
    (tmp_path / "records/aborted.jsonl").write_text("\n".join(aborted))
    arguments = ("--seeds", 1, *SMALL, "--records", tmp_path / "records")
    result = invoke("dataset", tmp_path / "set", *arguments)
    assert "3 episodes" in result.stdout
    assert len(rows(tmp_path / "set", "episodes")) == 2
    (episode,) = rows(tmp_path / "set", "episodes", "test")
    assert (episode["episode_id"], episode["policy"]) == (record.episode_id, "runbook")


def test_the_card_tells_the_loader_which_files_there_are(tmp_path):
    invoke("dataset", tmp_path / "set", "--seeds", 1, *SMALL)
    _, front, text = (tmp_path / "set/README.md").read_text().split("---\n", 2)
    configs = yaml.safe_load(front)["configs"]
    assert [config["config_name"] for config in configs] == list(TABLES)
    for config in configs:
        for file in config["data_files"]:
            assert (tmp_path / "set" / file["path"]).is_file()
    for kind in TABLES.values():
        assert all(f"| `{column}` |" in text for column in kind.model_fields)


def test_process_rewards_stand_in_the_rows_where_they_are_asked_for(tmp_path):
    arguments = ("--seeds", 1, "--policies", "oracle", "--tiers", Tier.EASY, *JSON_LINES)
    result = invoke("dataset", tmp_path / "set", *arguments, "--process-rewards")
    assert result.exit_code == 0, result.output
    first, *others = [step["process_reward"] for step in rows(tmp_path / "set", "steps")]
    assert first is None and all(reward < 0.5 for reward in others)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--policies", "nobody"), "nobody"),
        (("--tiers", "brutal"), "brutal"),
        (("--formats", "csv"), "csv"),
        (("--seeds", 0, "--records", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--seeds", 0), "no episode"),
    ],
)
def test_bad_input_is_named(tmp_path, arguments, word):
    result = invoke("dataset", tmp_path / "set", *JSON_LINES, *arguments)
    assert result.exit_code == 2, result.output
    assert word in result.stderr


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    result = invoke("dataset", tmp_path, *SMALL)
    assert result.exit_code == 2
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_broken_record_is_named_with_its_line(tmp_path):
    lines = (ROOT / "docs/examples/episode.jsonl").read_text().splitlines()
    (tmp_path / "broken.jsonl").write_text("\n".join([lines[0], "{}", *lines[1:]]))
    arguments = ("--seeds", 0, *JSON_LINES, "--records", tmp_path / "broken.jsonl")
    result = invoke("dataset", tmp_path / "set", *arguments)
    assert result.exit_code == 2
    assert "broken.jsonl: line 2" in result.stderr
