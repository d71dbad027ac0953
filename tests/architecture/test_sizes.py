"""Small pieces, explained where they are hard, and at least as many tests. Functions are ruff's to
measure.
"""

import ast
import io
import tokenize
from collections.abc import Iterable

import pytest

from sre_autopilot.world.topology import Service
from tests.architecture.source import Source, sources

IN_FOLDER = {"chaos/faults": 80, "orchestrator/actions": 60}
"""Lines of a file directly in the folder."""
OF_A_SERVICE = 60
USUAL, MOST = 250, 400
"""Lines of any other file; the larger ones are listed."""

LARGER = {
    "orchestrator/environment.py": "the class that users hold, in its blocking and its async form",
    "sre_autopilot/simulator/numba_engine/vector_type.py": "one type and all its operators",
    "sre_autopilot/simulator/rules/traffic.py": "the calls of one window, stage by stage",
    "tests/chaos/test_flapping_network.py": "one fault with three causes",
    "tests/inference/test_survival.py": "whatever may go wrong in one run",
    "tests/live/test_broker.py": "one stack of containers, which takes long to start",
    "tests/orchestrator/backends/docker/test_lifecycle.py": "one lifecycle from start to close",
    "tests/server/test_sessions.py": "one table of sessions, over HTTP and over sockets",
    "tests/services/test_services.py": "seven services in one mesh",
    "tests/sre_autopilot/policies/test_belief.py": "one policy, on evidence and in play",
    "tests/sre_autopilot/simulator/rules/test_traffic.py": "the calls of one window, rule by rule",
}
"""Files that may have up to MOST lines, and what keeps each in one piece."""

COMMENTED = (
    "sre_autopilot/policies/belief_filter/",
    "sre_autopilot/simulator/numba_engine/",
    "sre_autopilot/simulator/rules/",
)
"""Folders of formulas and tricks, whose lines need a reason or a source beside them."""
COMMENTS_PER_100_LINES = 3


def lines_allowed(path: str) -> int:
    if path in {f"services/{service}.py" for service in Service}:
        return OF_A_SERVICE
    return IN_FOLDER.get(path.rpartition("/")[0], MOST if path in LARGER else USUAL)


def lines(of: Iterable[Source]) -> int:
    return sum(len(source.text.splitlines()) for source in of)


def code_and_comments(text: str) -> tuple[int, int]:
    """Lines of code, without blanks and docstrings, and lines that have a comment."""
    documentation: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            documentation |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    code: set[int] = set()
    comments: set[int] = set()
    blank = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in blank:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - documentation), len(comments)


def test_a_file_stays_small() -> None:
    too_long = [
        f"{source.path}: {length} lines, {lines_allowed(source.path)} allowed"
        for source in sources()
        for length in [lines([source])]
        if length > lines_allowed(source.path)
    ]
    assert not too_long, "\n".join(too_long)


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("services/user_db.py", 60),
        ("services/traffic.py", 250),
        ("chaos/faults/noop.py", 80),
        ("sre_autopilot/simulator/rules/traffic.py", 400),
        ("chaos/fault.py", 250),
        ("orchestrator/actions/wait.py", 60),
    ],
)
def test_small_pieces_have_their_own_limit(path: str, lines: int) -> None:
    assert lines_allowed(path) == lines


def test_a_listed_file_is_a_large_one() -> None:
    lengths = {source.path: lines([source]) for source in sources()}
    assert [path for path in LARGER if lengths.get(path, 0) <= USUAL] == []


def test_tests_have_at_least_as_many_lines_as_the_source() -> None:
    tests = [source for source in sources() if source.part == "tests"]
    product = [source for source in sources() if source.part != "tests"]
    assert lines(tests) >= lines(product)


@pytest.mark.parametrize("folder", COMMENTED)
def test_hard_code_is_commented(folder: str) -> None:
    counts = [code_and_comments(s.text) for s in sources() if s.path.startswith(folder)]
    code, comments = (sum(column) for column in zip(*counts, strict=True))
    assert 100 * comments >= COMMENTS_PER_100_LINES * code


def test_docstrings_and_blank_lines_are_no_code() -> None:
    text = '"""Doc\n# no comment\n"""\n\n# why\nx = (\n    1,  # one\n)\n"""Of x."""\n'
    assert code_and_comments(text) == (3, 2)
