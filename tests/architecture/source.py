"""The tree as these tests see it: what git would track, and each Python file, parsed when asked."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One Python file; `path` is relative to the root, with slashes."""

    path: str

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def part(self) -> str:
        """The package or root module that it belongs to."""
        return self.module.split(".")[0]

    def at(self, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
        return f"{self.path}:{node.lineno}"


@cache
def committed_files() -> tuple[Path, ...]:
    """Every file that .gitignore lets through, tracked yet or not."""
    ignored = GitIgnoreSpec.from_lines([*(ROOT / ".gitignore").read_text().splitlines(), ".git"])
    files: list[str] = []
    for folder, subfolders, names in os.walk(ROOT):
        here = os.path.relpath(folder, ROOT)
        prefix = "" if here == os.curdir else f"{here}/"
        subfolders[:] = [s for s in subfolders if not ignored.match_file(f"{prefix}{s}/")]
        files += [prefix + name for name in names if not ignored.match_file(prefix + name)]
    return tuple(sorted(ROOT / file for file in files))


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file, tests included."""
    return tuple(
        Source(path.relative_to(ROOT).as_posix())
        for path in committed_files()
        if path.suffix == ".py"
    )


@cache
def product() -> tuple[Source, ...]:
    """Every Python file but the tests."""
    return tuple(source for source in sources() if source.part != "tests")


@cache
def walked(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Every node of a tree, for all tests that look at it: a walk takes as long as parsing."""
    return tuple(ast.walk(tree))


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Statement and full name of each module imported; `from a import b` counts as `a.b`."""
    for node in walked(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
