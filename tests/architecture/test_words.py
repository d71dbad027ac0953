"""One word for one thing: names that the project gave up stay away, a name says what it names."""

import ast

import pytest

from tests.architecture.source import ROOT, committed_files, sources
from tests.architecture.words import (
    NO_SUBJECT,
    RETIRED_MODULES,
    RETIRED_PHRASES,
    bindings,
    code_words,
    identifiers,
    is_vague,
    may_say_anything,
    retired,
    watched,
)


def test_no_python_name_is_a_retired_one() -> None:
    wrong = [
        f"{source.path}: {complaint}"
        for source in watched()
        for complaint in retired({*identifiers(source.tree), source.module})
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_has_a_retired_name() -> None:
    stems = {source.path: source.module.rpartition(".")[2] for source in sources()}
    wrong = {
        path: f"say {RETIRED_MODULES[stem]}"
        for path, stem in stems.items()
        if stem in RETIRED_MODULES
    }
    assert wrong == {}


def test_no_code_in_a_document_has_a_retired_name() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {complaint}"
        for path in committed_files()
        if path.suffix == ".md" and not may_say_anything(path)
        for complaint in retired(code_words(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_text_has_a_retired_phrase() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {phrase}"
        for path in committed_files()
        if not may_say_anything(path)
        for phrase in RETIRED_PHRASES.findall(path.read_bytes().decode("utf-8", "ignore"))
    ]
    assert not wrong, "\n".join(wrong)


def test_every_name_says_what_its_value_is() -> None:
    wrong = [
        f"{source.path}:{line} {name}"
        for source in watched()
        for line, name in bindings(source.tree)
        if is_vague(name) and not name.startswith("test_")
    ]
    assert not wrong, "\n".join(["name the value, not what happened to it:", *wrong])


def test_every_test_is_named_after_its_subject() -> None:
    wrong = [
        f"{source.path}:{line} {name}"
        for source in watched()
        for line, name in bindings(source.tree)
        if NO_SUBJECT.match(name)
    ]
    assert not wrong, "\n".join(["say what is tested:", *wrong])


@pytest.mark.parametrize(
    ("code", "is_wrong"),
    [
        ("import orchestrator.simulator.moves", True),
        ("from chaos.fleet import client", True),
        ("from x import story", True),
        ("class Seat: pass", True),
        ("f(stories=1)", True),
        ("self._scene.x = 1", True),
        ("seeds = [1]", False),
        ("'''The story of a seed.'''", False),
        ("history = storyboard = 1", False),
    ],
)
def test_a_retired_name_is_found_in_code_and_nowhere_else(code: str, is_wrong: bool) -> None:
    assert bool(retired(set(identifiers(ast.parse(code))))) is is_wrong


@pytest.mark.parametrize(
    ("markdown", "is_wrong"),
    [
        ("The law of `rule`.", False),
        ("The rule `law`.", True),
        ("See `orchestrator.simulator.batch`.", True),
        ("```python\nfrom chaos import fleet\n```", True),
        ("```bash\nmake test\n```\nA story of its own.", False),
    ],
)
def test_a_retired_name_is_found_in_the_code_of_a_document(markdown: str, is_wrong: bool) -> None:
    assert bool(retired(code_words(markdown))) is is_wrong


@pytest.mark.parametrize(
    ("code", "vague"),
    [
        ("told = 1", {"told"}),
        ("for wanted in x: pass", {"wanted"}),
        ("def f(given, *, told_of): return found", {"given", "told_of"}),
        ("self._seen = known_hosts = 1", {"_seen"}),
        ("if (shown := 1): pass", {"shown"}),
        ("from hypothesis import given", set()),
        ("print(found, x.told)", set()),
    ],
)
def test_a_vague_name_is_found_where_it_is_bound(code: str, vague: set[str]) -> None:
    names = {name for _, name in bindings(ast.parse(code))}
    assert {name for name in names if is_vague(name)} == vague


@pytest.mark.parametrize(
    ("name", "has_subject"),
    [
        ("test_it_works", False),
        ("test_what_is_written_is_read", False),
        ("test_whoever_asks_waits", False),
        ("test_one_value_is_lost", False),
        ("test_items_are_sold", True),
        ("test_a_record_survives_being_written_and_read", True),
        ("test_thirty_steps_end_an_episode", True),
    ],
)
def test_a_subject_is_no_pronoun(name: str, has_subject: bool) -> None:
    assert (NO_SUBJECT.match(name) is None) is has_subject
