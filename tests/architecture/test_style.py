"""Habits that no linter holds: broad excepts explained, no sleep for luck, names that say much."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import Source, product, sources, walked

SLEEPERS = {
    "services/runtime/governor.py": "blocks the loop on purpose: a process that gets no processor",
}
"""Files that may block or wait for a fixed time, and why no condition can be waited for."""

EMPTY_NAMES = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
BROAD = {"Exception", "BaseException"}
MARKS = re.compile(r"noqa(: ?[A-Z]+\d+(, ?[A-Z]+\d+)*)?|type: ignore\[.*?\]|pragma: no cover")
"""Comments that speak to tools and give no reason."""


def is_broad(caught: ast.expr | None) -> bool:
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(part is None or ast.unparse(part) in BROAD for part in parts)


def last_name(called: ast.expr) -> str:
    """`c` where `a.b.c` is called; empty where what is called has no name."""
    match called:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""


def catches_all(node: ast.AST) -> bool:
    """Whether the node swallows everything; a handler that ends in `raise` swallows nothing."""
    if isinstance(node, ast.ExceptHandler):
        last = node.body[-1]
        return is_broad(node.type) and not (isinstance(last, ast.Raise) and last.exc is None)
    if isinstance(node, ast.Call) and last_name(node.func).endswith("suppress"):
        return any(is_broad(argument) for argument in node.args)
    return False


def gives_reason(line: str) -> bool:
    return bool(re.search("[A-Za-z]{2,}", MARKS.sub("", line.partition("#")[2])))


def unexplained(source: Source) -> Iterator[str]:
    """Places that swallow everything with no reason beside them or in a comment just above."""
    lines = ["", *source.text.splitlines()]
    for node in walked(source.tree):
        if isinstance(node, ast.ExceptHandler | ast.Call) and catches_all(node):
            above = lines[node.lineno - 1].strip()
            reasons = [lines[node.lineno], above if above.startswith("#") else ""]
            if not any(map(gives_reason, reasons)):
                yield source.at(node)


def fixed_sleeps(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls of `time.sleep`, and of an async sleep for a literal time (`sleep(0)` only yields)."""
    for node in walked(tree):
        if isinstance(node, ast.Call) and node.args and last_name(node.func).endswith("sleep"):
            length = node.args[0]
            literal = not any(isinstance(n, ast.Name | ast.Attribute) for n in ast.walk(length))
            zero = isinstance(length, ast.Constant) and length.value == 0
            if ast.unparse(node.func) == "time.sleep" or (literal and not zero):
                yield node


def test_a_broad_except_says_why() -> None:
    places = [place for source in sources() for place in unexplained(source)]
    assert not places, "\n".join(places)


def test_nothing_sleeps_for_a_fixed_time() -> None:
    places = {s.at(node): s.path for s in sources() for node in fixed_sleeps(s.tree)}
    unlisted = [place for place, path in places.items() if path not in SLEEPERS]
    assert not unlisted, "\n".join(["wait for a condition instead:", *unlisted])
    assert set(SLEEPERS) <= set(places.values()), "a listed file sleeps no more"


def test_a_module_is_named_after_what_it_does() -> None:
    assert [s.path for s in sources() if EMPTY_NAMES & set(s.module.split("."))] == []


def test_source_is_ascii() -> None:
    places = [
        f"{source.path}:{number}"
        for source in product()
        for number, line in enumerate(source.text.splitlines(), 1)
        if not line.isascii()
    ]
    assert not places, "\n".join(places)


@pytest.mark.parametrize(
    ("handler", "explained"),
    [
        ("except: pass", False),
        ("except Exception: pass", False),
        ("except (OSError, Exception): pass", False),
        ("except Exception: pass  # noqa: BLE001", False),
        ("except Exception: pass  # noqa: BLE001 - the process ends here", True),
        ("except Exception: pass  # the process ends here", True),
        ("# the process ends here\nexcept Exception: pass", True),
        ("except BaseException:\n    undo()\n    raise", True),
        ("except OSError: pass", True),
    ],
)
def test_a_mark_for_a_tool_is_no_reason(tmp_path: Path, handler: str, explained: bool) -> None:
    file = tmp_path / "handler.py"
    file.write_text(f"try:\n    f()\n{handler}\n")
    assert (list(unexplained(Source(str(file)))) == []) is explained


@pytest.mark.parametrize(
    ("code", "fixed"),
    [
        ("time.sleep(x)", True),
        ("await asyncio.sleep(0.5)", True),
        ("await sleep(1 / 2)", True),
        ("await asyncio.sleep(0)", False),
        ("await asyncio.sleep(period_s)", False),
        ("await asyncio.sleep(TTL_S / 3)", False),
    ],
)
def test_a_period_is_no_fixed_sleep(code: str, fixed: bool) -> None:
    assert bool(list(fixed_sleeps(ast.parse(code)))) is fixed
