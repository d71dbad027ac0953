"""The page of the ladder names what is on it, and what a submission must hold."""

import json
import re

from sre_autopilot.evaluation.ladder.document import Ladder
from sre_autopilot.evaluation.ladder.entrants import STANDARD
from sre_autopilot.evaluation.submission.document import Submission, SubmittedEpisode
from tests.docs.documents import document
from tools import ladder_tables

PAGE = document("docs/benchmark.md")


def test_every_standard_policy_is_on_the_page_or_said_to_be_missing() -> None:
    ladder = Ladder.read()
    rungs = {rung.policy for rung in ladder.of_world("simulator")}
    assert {*STANDARD} <= rungs | {*ladder.missing}
    state = ladder_tables.ladder_state()
    assert all(f"`{name}`" in state for name in ladder.missing)


def test_tables_have_a_row_for_every_rung() -> None:
    ladder = Ladder.read()
    rows = ladder_tables.ladder_scores().splitlines()[2:]
    assert len(rows) == len(ladder.rungs)
    assert [row.split(" | ")[0] for row in rows] == [f"| {rung.world}" for rung in ladder.rungs]


def test_the_schema_on_the_page_has_every_field() -> None:
    (block,) = [fence for fence in PAGE.fences if fence.language == "json"]
    schema = json.loads(block.body)
    assert schema["properties"].keys() == Submission.model_fields.keys()
    episode = schema["$defs"][SubmittedEpisode.__name__]
    assert episode["properties"].keys() == SubmittedEpisode.model_fields.keys()
    assert schema["additionalProperties"] is False


def test_the_command_on_the_page_names_three_trainings() -> None:
    (arguments,) = re.findall(r'make ladder ARGS="(--weights .*)"', PAGE.text)
    weights = [text.partition("=") for text in re.findall(r"--weights (\S+)", arguments)]
    assert {name for name, _, _ in weights} < set(STANDARD)
    assert len(weights[0][2].split(",")) == 3
