"""Decision records: numbered without a gap, listed, and each says when it stops holding."""

import re

from tests.architecture.source import ROOT, committed_files
from tests.docs.documents import document, documents

FOLDER = "docs/decisions/"
RECORDS = [d for d in documents() if re.match(rf"{FOLDER}\d", d.name)]
CONSTANT = re.compile(r"[A-Z][A-Z\d]+_[A-Z\d_]+")
SECTIONS = ("Context", "Decision", "Consequences", "When this stops holding")


def test_numbers_have_no_gap() -> None:
    numbers = [int(record.path.name[:3]) for record in RECORDS]
    assert numbers == list(range(1, len(RECORDS) + 1))


def test_the_list_is_complete_and_in_order() -> None:
    assert document(f"{FOLDER}README.md").links == [record.path.name for record in RECORDS]


def test_a_record_has_its_sections_in_order() -> None:
    for record in RECORDS:
        assert record.text.startswith(f"# {record.path.name[:3]}. "), record.name
        places = [record.text.find(f"\n\n**{section}.**") for section in SECTIONS]
        assert -1 not in places and places == sorted(places), record.name
        last = record.text[places[-1] :]
        assert "\n\n" not in last.strip(), f"{record.name}: nothing follows when it stops holding"


def test_a_record_is_short() -> None:
    assert [record.name for record in RECORDS if len(record.text.split()) >= 400] == []


def test_constants_that_are_named_exist() -> None:
    modules = [path for path in committed_files() if path.suffix == ".py"]
    code = "".join(p.read_text() for p in modules if "tests" not in p.relative_to(ROOT).parts)
    named = {text for record in RECORDS for text in record.quoted if CONSTANT.fullmatch(text)}
    assert named
    assert [name for name in sorted(named) if name not in code] == []
