"""Parquet holds the rows of the JSON lines, in the columns of their classes."""

import gzip
import json

import pytest

pytest.importorskip("pyarrow", reason="needs the extra dataset: pip install pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from sre_autopilot.dataset.files import TABLES
from sre_autopilot.dataset.parquet import arrow_schema
from sre_autopilot.grading.frozen import Frozen
from tests.sre_autopilot.cli.terminal import invoke


@pytest.mark.parametrize("table", TABLES)
def test_parquet_and_json_lines_have_the_same_rows(tmp_path, table):
    arguments = ("--seeds", 1, "--policies", "runbook,oracle", "--tiers", "easy")
    result = invoke("dataset", tmp_path / "set", *arguments)
    assert result.exit_code == 0, result.output
    rows = pq.read_table(tmp_path / f"set/{table}/train.parquet").to_pylist()
    with gzip.open(tmp_path / f"set/{table}/train.jsonl.gz", "rt") as lines:
        assert rows == [json.loads(line) for line in lines]


@pytest.mark.parametrize("kind", TABLES.values())
def test_a_column_may_be_null_where_its_field_may(kind):
    schema = arrow_schema(kind)
    assert schema.names == list(kind.model_fields)
    assert schema.field("policy").nullable and not schema.field("tier").nullable
    assert schema.field("seed").type == pa.int64()


def test_a_field_without_a_column_is_an_error():
    class Odd(Frozen):
        odd: dict[str, int]

    with pytest.raises(TypeError, match="dict"):
        arrow_schema(Odd)
