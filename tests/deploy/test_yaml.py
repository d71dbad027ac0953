"""What is written is what any reader reads, and it reads well."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.yaml import LINE, dump

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126, include_characters="\n\t"))
WORDLIKE = st.text("noyesNul~-:# 01.e_$/'\"{}[],&*!|>%@`=<?", max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | ASCII | WORDLIKE
NODES = st.recursive(
    LEAVES, lambda node: st.lists(node) | st.dictionaries(ASCII | WORDLIKE, node), max_leaves=20
)
DOCUMENTS = st.lists(NODES, min_size=1) | st.dictionaries(ASCII | WORDLIKE, NODES, min_size=1)


def read(text: str) -> Any:
    yaml: Any = pytest.importorskip("yaml")
    return yaml.safe_load(text)


@given(DOCUMENTS)
def test_what_is_written_is_read_again(document) -> None:
    assert read(dump(document)) == document


@pytest.mark.parametrize(
    "text",
    [
        *("no", "Yes", "on", "null", "~", "", "1", "1.5", "0x1f", "1e3", "12:30:00", "2026-01-01"),
        *("a: b", "a:", "a #b", "- a", "{a}", "[a]", "*a", "&a", "!a", " a", "a ", "a\nb", "a'b"),
        *("${A:-1.2}.3", "http://a.b:1/c?d=e&f", "65532:65532", "%", "@", "`", "=", "<<", '"'),
    ],
)
def test_text_stays_text(text) -> None:
    assert read(dump({"key": text, text: [text, {"in": text}]})) == {
        "key": text,
        text: [text, {"in": text}],
    }


@pytest.mark.parametrize("text", ["user_db-0", "${A:-1.2}.3", "http://a.b:1/c", "/var/run", "a b"])
def test_what_cannot_mislead_stands_without_quotes(text) -> None:
    assert dump({"key": text}) == f"key: {text}\n"


def test_its_look() -> None:
    document = {
        "name": "mesh",
        "port": 8000,
        "internal": True,
        "passed on": None,
        "labels": {},
        "drop": ["ALL"],
        "networks": {"mesh": {"aliases": ("a", "b")}},
        "config": [{"subnet": "10.0.0.0/8", "range": "x"}, "last"],
    }
    assert dump(document) == (
        "name: mesh\n"
        "port: 8000\n"
        "internal: true\n"
        "passed on:\n"
        "labels: {}\n"
        'drop: ["ALL"]\n'
        "networks:\n"
        "  mesh:\n"
        '    aliases: ["a", "b"]\n'
        "config:\n"
        '  - subnet: "10.0.0.0/8"\n'
        "    range: x\n"
        "  - last\n"
    )


def test_a_sequence_too_long_for_a_line_takes_several() -> None:
    names = ["name" * 5] * (LINE // 20)
    assert dump({"names": names}) == "names:\n" + f"  - {names[0]}\n" * len(names)


@pytest.mark.parametrize("value", [1.5, {1}, b"a", object()])
def test_what_it_does_not_know_it_refuses(value) -> None:
    for document in ({"key": value}, [value], {"key": [value]}):
        with pytest.raises(TypeError, match="not written for"):
            dump(document)
