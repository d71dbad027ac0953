"""What is written is read back as the same values, and in a readable form."""

from enum import StrEnum

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.yaml_text import dump

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126, include_characters="\n\t"))
WORDLIKE = st.text("noyesNul~-:# 01.e_$/'\"{}[],&*!|>%@`=<?", max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | ASCII | WORDLIKE
NODES = st.recursive(
    LEAVES, lambda node: st.lists(node) | st.dictionaries(ASCII | WORDLIKE, node), max_leaves=20
)
DOCUMENTS = st.lists(NODES, min_size=1) | st.dictionaries(ASCII | WORDLIKE, NODES, min_size=1)


class Name(StrEnum):
    ONE = "one"
    NUMBER = "1"


@settings(max_examples=50)
@given(DOCUMENTS)
def test_a_written_document_is_read_back(document) -> None:
    assert yaml.safe_load(dump(document)) == document


@pytest.mark.parametrize(
    "text",
    [
        *("no", "Yes", "on", "null", "~", "", "1", "1.5", "0x1f", "1e3", "12:30:00", "2026-01-01"),
        *("a: b", "a:", "a #b", "- a", "{a}", "[a]", "*a", "&a", "!a", " a", "a ", "a\nb", "a'b"),
        *("${A:-1.2}.3", "http://a.b:1/c?d=e&f", "65532:65532", "%", "@", "`", "=", "<<", '"'),
    ],
)
def test_text_stays_text(text) -> None:
    document = {"key": text, text: [text, {"in": text}]}
    assert yaml.safe_load(dump(document)) == document


def test_enumeration_members_are_written_as_text() -> None:
    assert dump({Name.ONE: [Name.NUMBER]}) == "one:\n  - '1'\n"


def test_a_repeated_value_is_written_in_full() -> None:
    shared = ["ALL"]
    assert dump({"a": shared, "b": shared}) == "a:\n  - ALL\nb:\n  - ALL\n"


def test_keys_keep_their_order() -> None:
    assert dump({"b": 1, "a": {"d": True, "c": None}}) == "b: 1\na:\n  d: true\n  c: null\n"


@pytest.mark.parametrize("value", [object(), 1j])
def test_a_value_that_yaml_has_not_is_refused(value) -> None:
    with pytest.raises(yaml.YAMLError):
        dump({"key": value})


def test_the_text_is_ascii() -> None:
    assert dump({"key": "\u00e9"}).isascii()
