"""Words that the project gave up, and how names are read: of Python by its syntax, so that prose
may use any word; of Markdown in its code alone.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import ROOT, Source, sources, walked

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
    "SoundMessages": "MessageMiddleware",
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
"""In no file: a stranger needs none of these words."""

VAGUE = {"found", "given", "known", "seen", "shown", "told", "wanted"}
"""Participles that say what happened to a value, not what it is."""

NO_SUBJECT = re.compile(
    r"test_(he|it|one|she|that|there|these|they|this|those|what(ever)?|which(ever)?|who(ever|m|se)?)_"
)
"""Beginnings of a test's name that say nothing of what is tested."""

OWN = {f"tests/architecture/{name}.py" for name in ("words", "test_words")}
HISTORY = {"CHANGELOG.md", "docs/decisions"}
"""Files that say what things were called."""

FENCE = re.compile(r"(?ms)^```\w*\n(.*?)^```")
SPAN = re.compile(r"`([^`\n]+)`")
WORD = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name in a file, bound or used; a dotted one as a whole."""
    for node in walked(tree):
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
    """Line and name of everything that is bound: variables, parameters, attributes, functions."""
    for node in walked(tree):
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


def may_say_anything(path: Path) -> bool:
    name = path.relative_to(ROOT).as_posix()
    return name in OWN or name.startswith(tuple(HISTORY))


def is_vague(name: str) -> bool:
    """Whether the name is no more than such a participle, or one with something about it."""
    bare = name.strip("_").lower()
    return bare in VAGUE or bare.startswith("told_") or bare.endswith("_told")


def watched() -> Iterator[Source]:
    """Every Python file but these two, which name what they forbid."""
    return (source for source in sources() if source.path not in OWN)
