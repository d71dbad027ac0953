"""A data set's writer keeps tables and splits apart, and leaves whole files whatever happens."""

import gzip
import json

import jsonschema  # type: ignore[import-untyped]
import pytest

from sre_autopilot.dataset.card import card
from sre_autopilot.dataset.files import SCHEMA, TABLES, DatasetWriter, Format, JsonLines, schema
from sre_autopilot.dataset.rows import NO_SPLIT, episode_row, step_rows
from sre_autopilot.grading import grade
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier
from tests.sre_autopilot.cli.terminal import simulated

OPENED = {Format.JSON_LINES: JsonLines}


@pytest.fixture(scope="module")
def record():
    record, _score = simulated("oracle", Tier.EASY, 3)
    return record


def add(dataset, record, seed):
    moved = record.model_copy(update={"seed": seed, "episode_id": f"of-{seed}"})
    score = grade(moved)
    dataset.add(episode_row(moved, score), step_rows(moved, score))


def read(file):
    with gzip.open(file, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_each_split_has_files_of_its_own(tmp_path, record):
    seeds = {split: seeds[0] for split, seeds in SEED_SPLITS.items()}
    seeds[NO_SPLIT] = SEED_SPLITS["test"][-1] + 1
    with DatasetWriter(tmp_path, OPENED) as dataset:
        for seed in seeds.values():
            add(dataset, record, seed)
    assert dataset.episodes == dict.fromkeys(seeds, 1)
    for table in TABLES:
        for split, seed in seeds.items():
            rows = read(tmp_path / table / f"{split}.jsonl.gz")
            assert {row["episode_id"] for row in rows} == {f"of-{seed}"}
            assert {row["split"] for row in rows} == {split}


def test_rows_are_valid_by_the_schema_that_stands_beside_them(tmp_path, record):
    with DatasetWriter(tmp_path, OPENED) as dataset:
        add(dataset, record, 0)
    written = json.loads((tmp_path / SCHEMA).read_text())
    assert written == schema()
    for table in TABLES:
        for row in read(tmp_path / table / "train.jsonl.gz"):
            jsonschema.validate(row, written[table])
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**row, "tier": None}, written[table])


def test_rows_written_before_a_failure_can_be_read(tmp_path, record):
    with pytest.raises(KeyboardInterrupt), DatasetWriter(tmp_path, OPENED) as dataset:
        add(dataset, record, 0)
        raise KeyboardInterrupt
    (episode,) = read(tmp_path / "episodes/train.jsonl.gz")
    assert episode["steps"] + 1 == len(read(tmp_path / "steps/train.jsonl.gz"))


def test_a_row_of_a_step_has_every_service_on_both_sides_of_the_noise(tmp_path, record):
    with DatasetWriter(tmp_path, OPENED) as dataset:
        add(dataset, record, 0)
    for row in read(tmp_path / "steps/train.jsonl.gz"):
        for side in ("observed", "true"):
            assert [metrics["service"] for metrics in row[side]] == [*Service]


@pytest.mark.parametrize("formats", [[Format.JSON_LINES], [Format.JSON_LINES, Format.PARQUET]])
def test_the_card_loads_parquet_where_there_is_any(formats):
    text = card({"train": 2, "test": 1}, formats, "sre-autopilot dataset somewhere")
    assert f"path: steps/train.{formats[-1]}" in text
    assert text.index("split: test") < text.index("split: train")
    assert "sre-autopilot dataset somewhere" in text
    assert "| train | 2 |" in text
