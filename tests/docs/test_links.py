"""Whatever the documents point at is there."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, sources
from tests.docs.documents import Document, documents

FILE = re.compile(r"(?:[\w.-]+/)*[\w-]+\.(?:py|md|jsonl|toml|txt)")
EVERYWHERE = [pytest.param(d, id=d.name) for d in documents()]


def target(doc: Document, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return ((doc.path.parent / path).resolve() if path else doc.path), anchor


@pytest.mark.parametrize("doc", EVERYWHERE)
def test_links_resolve(doc: Document) -> None:
    anchors = {d.path: d.anchors for d in documents()}
    for link in doc.links:
        if not link.startswith("https://"):
            path, anchor = target(doc, link)
            assert path.exists(), link
            assert not anchor or anchor in anchors[path], link


@pytest.mark.parametrize("doc", EVERYWHERE)
def test_files_that_are_named_exist(doc: Document) -> None:
    made_by_the_reader = {f.mark.removeprefix("file: ") for f in doc.fences}
    named = {text for text in doc.quoted if FILE.fullmatch(text)} - made_by_the_reader
    missing = [n for n in named if not n.startswith("runs/") and not (ROOT / n).exists()]
    assert not missing


def test_tests_that_are_named_exist() -> None:
    there = {
        f"{source.path}::{name}"
        for source in sources()
        for name in re.findall(r"(?m)^(?:async )?def (test_\w+)", source.text)
    }
    named = {text for d in documents() for text in d.quoted if "::" in text}
    assert named
    assert named <= there


def test_every_document_can_be_reached_from_the_readme() -> None:
    by_path = {d.path: d for d in documents()}
    reached, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        path = path / "README.md" if path.is_dir() else path
        if path in by_path and path not in reached:
            reached.add(path)
            ahead += [target(by_path[path], link)[0] for link in by_path[path].links]
    assert by_path.keys() - reached == set()


def test_the_layout_and_the_picture_name_files_that_exist() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    flow = re.findall(r'\["(\S+\.py)"\]', architecture)
    listed = re.findall(r"(?m)^(\w+(?:\.py|/)) ", architecture)
    assert len(flow) > 10
    for path in (*flow, *listed):
        folders = [ROOT, ROOT / "orchestrator"]
        assert any(list(folder.glob(path)) for folder in folders), path


def test_the_layout_is_complete() -> None:
    layout = (ROOT / "docs" / "architecture.md").read_text().split("```")[1]
    parts = {s.path.split("/")[0] for s in sources()} - {"__init__.py"}
    in_orchestrator = {
        path.name for path in (ROOT / "orchestrator").iterdir() if not path.name.startswith("__")
    }
    missing = [name for name in parts | in_orchestrator if name not in layout]
    assert not missing
