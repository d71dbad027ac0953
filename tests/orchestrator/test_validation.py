"""Arguments of a reset: the rule of names that become part of a file's name."""

import pytest

from orchestrator.validation import parse_id
from sre_autopilot.errors import InvalidValue


@pytest.mark.parametrize("value", ["default", "a", "7", "mcp-1f", "Run.2026-01-02:3_b", "x" * 128])
def test_a_name_of_letters_digits_and_marks_is_taken(value: str) -> None:
    assert parse_id("episode_id", value) == value


@pytest.mark.parametrize(
    "value",
    [
        ".",
        "..",
        ".hidden",
        "-rf",
        "--help",
        "_x",
        ":",
        "",
        "x" * 129,
        "a/b",
        "a b",
        "a\n",
        "\u00e9",
        7,
    ],
)
def test_a_hidden_file_a_folder_and_an_option_are_no_names(value: object) -> None:
    with pytest.raises(InvalidValue, match="episode_id") as refused:
        parse_id("episode_id", value)
    assert refused.value.field == "episode_id"
