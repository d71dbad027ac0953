"""One word for one thing: names that the project gave up stay away, and a name says what it names.

Python is read by its syntax, so that prose may use any word; of Markdown only code is read.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, Source, committed_files, sources

RETIRED = {
    "At": "NoiseKey",
    "Death": "ContainerExit",
    "Desk": "scratch",
    "FaultStory": "FaultRecord",
    "Keeper": "RestartController",
    "LivesKept": "ReplicaSet",
    "PaperServer": "ScriptedEnvironment",
    "Seat": "EpisodeQueue",
    "Seeds": "VectorEvaluator",
    "Shown": "StepOutput",
    "SoundMessages": "MessageValidationMiddleware",
    "Standing": "StateResponse",
    "Ward": "EngineAdmin",
    "banks": "memory",
    "bury": "reap",
    "deeds": "action_log",
    "disown_strangers": "mark_restarted_externally",
    "fleet": "broker",
    "law": "rule",
    "laws": "rules",
    "moves": "actions",
    "obituary": "exit report",
    "of_error": "error_response",
    "paper_mesh": "the simulator",
    "playground": "vector_play",
    "presented": "features",
    "registers": "vector_type",
    "scene": "window_arrays",
    "soil": "mark_dirty",
    "spare": "clear_faults",
    "stories": "fault_records",
    "story": "fault_record, episode_summary",
}
"""Names of anything in Python -> what it is called now."""

RETIRED_MODULES = {
    "bounds_judged": "score_checks",
    "graded": "scoring",
    "impaired": "faults",
    "kernel": "engine",
    "lanes": "fault_table",
    "life": "replicas",
    "paper_server": "scripted_environment",
    "parent": "die_with_parent",
    "points": "score_constants",
    "seen": "observation",
}
"""Ordinary words that are no name of a module any more."""

RETIRED_PREFIXES = tuple(
    f"orchestrator.{room}."
    for room in ("calibration", "evaluation", "fleet", "gym", "policies", "simulator", "training")
)
"""Rooms that have left the environment's package."""

RETIRED_PHRASES = re.compile(
    r"\b(bounds judged|cannot be told|disown_strangers|fleet|of_error|paper[_ ]mesh|mesh of paper"
    r"|playground|LivesKept|SoundMessages)\b"
)
"""Whatever the file: none of these is a word that a stranger needs."""

VAGUE = {"found", "given", "known", "seen", "shown", "told", "wanted"}
"""Participles that say what happened to a value, not what it is."""

NO_SUBJECT = re.compile(
    r"test_(he|it|one|she|that|there|these|they|this|those|what(ever)?|which(ever)?|who(ever|m|se)?)_"
)
"""Beginnings of a test's name that say nothing of what is tested."""

HISTORY = {"CHANGELOG.md", "docs/decisions"}
"""Tells what things were called."""

FENCE = re.compile(r"(?ms)^```\w*\n(.*?)^```")
SPAN = re.compile(r"`([^`\n]+)`")
WORD = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name in a file, bound or used; a dotted one as a whole."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.alias(name=name):
                yield name
            case ast.ImportFrom(module=str(name)):
                yield name
            case ast.keyword(arg=str(name)):
                yield name


def bindings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of whatever is bound: variables, parameters, attributes, functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.arg(arg=name):
                yield node.lineno, name


def code_words(markdown: str) -> set[str]:
    """Words of the code blocks and code spans of a document."""
    blocks = FENCE.findall(markdown)
    spans = SPAN.findall(FENCE.sub("", markdown))
    return {word for text in [*blocks, *spans] for word in WORD.findall(text)}


def retired(names: set[str]) -> list[str]:
    """What is wrong with these names, each with what to say instead."""
    wrong = [name for name in names if name.startswith(RETIRED_PREFIXES)]
    for name in names:
        for part in name.split("."):
            bare = part.strip("_")
            wrong += [f"{name}: say {RETIRED[bare]}"] if bare in RETIRED else []
    return sorted(wrong)


def is_history(path: Path) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(tuple(HISTORY))


def is_vague(name: str) -> bool:
    """Whether the name is no more than such a participle, or one with something about it."""
    bare = name.strip("_").lower()
    return bare in VAGUE or bare.startswith("told_") or bare.endswith("_told")


def watched() -> Iterator[Source]:
    """Every Python file but this one, which names what it forbids."""
    return (source for source in sources() if source.path != "tests/architecture/test_words.py")


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
        if path.suffix == ".md" and not is_history(path)
        for complaint in retired(code_words(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def test_no_text_has_a_retired_phrase() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {phrase}"
        for path in committed_files()
        if not is_history(path) and path != Path(__file__)
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
