"""Markdown as these tests see it: fenced blocks, links, headings and what stands in backticks."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tests.architecture.source import ROOT, committed_files

SERVER = "server"
"""The mark of a block that is run against a server: test_quick_starts does."""
FENCE = re.compile(r"(?ms)^(?:<!-- (runnable|server|cell|file: \S+) -->\n)?```(\w*)\n(.*?)^```$")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )?(?:make|python|sre-autopilot) [\w-]")
"""A command in prose, variables in front of it included."""
QUOTED = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Fence:
    """One fenced block; `mark` is what the comment just above it says."""

    mark: str
    language: str
    body: str


@dataclass(frozen=True)
class Document:
    """One markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def fences(self) -> list[Fence]:
        return [Fence(*groups) for groups in FENCE.findall(self.text)]

    @cached_property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return FENCE.sub("", self.text)

    @cached_property
    def links(self) -> list[str]:
        return LINK.findall(self.prose)

    @cached_property
    def quoted(self) -> set[str]:
        return set(QUOTED.findall(self.prose))

    @cached_property
    def anchors(self) -> set[str]:
        """As GitHub makes them of headings."""
        headings = re.findall(r"(?m)^#+ (.+)$", self.prose)
        return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}

    def table(self, first_column: str) -> list[list[str]]:
        """Cells of the rows of the table whose head begins with `first_column`."""
        rows = re.search(
            rf"(?m)^\| {re.escape(first_column)} \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", self.text
        )
        assert rows, f"{self.name} has no table of {first_column}"
        return [line.strip("| ").split(" | ") for line in rows[1].splitlines()]


@cache
def documents() -> tuple[Document, ...]:
    return tuple(
        Document(path, path.read_text(encoding="utf-8"))
        for path in committed_files()
        if path.suffix == ".md"
    )


def document(name: str) -> Document:
    return next(d for d in documents() if d.name == name)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Document and words of each command in a bash block, and of those in prose."""
    for doc in documents():
        blocks = [f for f in doc.fences if f.language == "bash" and f.mark != SERVER]
        lines = [line for f in blocks for line in f.body.splitlines()]
        lines += [text for text in sorted(doc.quoted) if COMMAND.match(text)]
        yield from ((doc.name, shlex.split(line, comments=True)) for line in lines)
