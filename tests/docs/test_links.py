"""Everything that the documents point at exists."""

import re
from pathlib import Path

from tests.architecture.source import ROOT, committed_files
from tests.docs.documents import Document, document, documents

FILE = re.compile(r"(?:[\w.-]+/)*[\w-]+\.(?:py|md|jsonl|toml|txt)")
ARCHITECTURE = document("docs/architecture.md")
ENTRY = re.compile(r"((?:  ){0,2})((?:[\w.]+(?:/|\.py) ?)+)")
"""A line of the layout: its indent, and the paths that it begins with."""


def target(doc: Document, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return ((doc.path.parent / path).resolve() if path else doc.path), anchor


def test_links_resolve() -> None:
    anchors = {doc.path: doc.anchors for doc in documents()}
    broken = [
        f"{doc.name}: {link}"
        for doc in documents()
        for link in doc.links
        if not link.startswith("https://")
        for path, anchor in [target(doc, link)]
        if not path.exists() or (anchor and anchor not in anchors[path])
    ]
    assert not broken, "\n".join(broken)


def files_named(doc: Document) -> set[str]:
    """In the prose of a page, but for those that its reader makes."""
    made_by_the_reader = {f.mark.removeprefix("file: ") for f in doc.fences}
    return {text for text in doc.quoted if FILE.fullmatch(text)} - made_by_the_reader


def test_files_named_in_prose_exist() -> None:
    missing = [
        f"{doc.name}: {name}"
        for doc in documents()
        for name in sorted(files_named(doc))
        if not name.startswith("runs/") and not (ROOT / name).exists()
    ]
    assert not missing, "\n".join(missing)


def test_tests_named_in_prose_exist() -> None:
    named = {text for d in documents() for text in d.quoted if "::" in text}
    assert named
    assert sorted(text for text in named if not defines_test(*text.split("::"))) == []


def defines_test(path: str, name: str) -> bool:
    file = ROOT / path
    return file.is_file() and bool(re.search(rf"(?m)^(async )?def {name}\(", file.read_text()))


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


def test_the_way_of_data_names_files_that_exist() -> None:
    files = re.findall(r'\["(\S+\.py)"\]', ARCHITECTURE.text.replace("<br>", ""))
    assert len(files) > 10
    assert [path for path in files if not list(ROOT.glob(path))] == []


def layout() -> set[str]:
    """Paths of the layout; an indented line names what stands in the folder above it."""
    text = next(f.body for f in ARCHITECTURE.fences if f.language == "text")
    paths, folders = set[str](), list[str]()
    for line in text.splitlines():
        entry = ENTRY.match(line)
        if entry:
            depth, names = len(entry[1]) // 2, entry[2].split()
            paths |= {"".join(folders[:depth]) + name for name in names}
            folders[depth:] = names[:1]
    return paths


def test_the_layout_names_paths_that_exist() -> None:
    assert len(layout()) > 30
    assert [path for path in layout() if not (ROOT / path).exists()] == []


def test_the_layout_has_every_package() -> None:
    text = next(f.body for f in ARCHITECTURE.fences if f.language == "text")
    packages = [path.parent for path in committed_files() if path.name == "__init__.py"]
    shipped = [p for p in packages if p != ROOT and "tests" not in p.relative_to(ROOT).parts]
    assert len(shipped) > 30
    assert [folder for folder in shipped if f"{folder.name}/" not in text] == []
