"""What `make check-security` promises: nothing unsafe in code, images or what is committed.

Containers of the stack are held down in tests/deploy/test_compose.py, locks are hashed in
test_repository.py.
"""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, committed_files, product, walked

DOCKERFILES = [f for f in committed_files() if re.fullmatch("Dockerfile(?!.*ignore).*", f.name)]
RUFF = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
NEVER = frozenset({"S102", "S301", "S307", "S324", "S506", "S602", "S604", "S605"})
"""Rules without an exception: exec, pickle, eval, weak hashes, YAML that runs code, shells."""
UNSAFE_MODULES = frozenset({"cPickle", "dill", "jsonpickle", "marshal", "pickle", "shelve"})
SECRETS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bhf_[A-Za-z0-9]{30,}|\bsk-[A-Za-z0-9_-]{30,}"
    rb"|\bgh[pousr]_[A-Za-z0-9]{36}|\bAKIA[0-9A-Z]{16}\b"
)
SECRET_FILES = re.compile(
    r"\.env(\..*)?|.*\.(pem|key|p12|pfx)|id_(rsa|ecdsa|ed25519)|\.(netrc|pypirc)"
)
IGNORED_BY_DOCKER = (ROOT / ".dockerignore").read_text().splitlines()

each_dockerfile = pytest.mark.parametrize(
    "dockerfile", DOCKERFILES, ids=[str(f.relative_to(ROOT)) for f in DOCKERFILES]
)


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Instruction and arguments of each line, continued lines joined, comments left out."""
    text = re.sub(r"(?m)^#.*\n", "", dockerfile.read_text()).replace("\\\n", " ")
    return [(line.split()[0], line) for line in text.splitlines() if line.strip()]


def test_rules_against_unsafe_code_are_on_without_exception() -> None:
    assert "S" in RUFF["select"]
    excepted = {*RUFF["ignore"]}.union(*RUFF["per-file-ignores"].values())
    assert not NEVER & excepted
    where_all_are_off = [f for f, rules in RUFF["per-file-ignores"].items() if "S" in rules]
    assert where_all_are_off == ["tests/**"]


def test_no_mark_in_the_code_turns_such_a_rule_off() -> None:
    marked = [s.path for s in product() if re.search(r"noqa:[^\n]*\bS\d{3}\b", s.text)]
    assert marked == []


def test_no_module_that_runs_what_it_reads_is_imported() -> None:
    imports = [
        (source.path, name)
        for source in product()
        for node in walked(source.tree)
        for name in _imported(node)
    ]
    assert len(imports) > 100
    assert [place for place in imports if place[1].partition(".")[0] in UNSAFE_MODULES] == []


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@each_dockerfile
def test_an_image_runs_without_root(dockerfile: Path) -> None:
    users = [line for word, line in instructions(dockerfile) if word == "USER"]
    assert users == ["USER 65532:65532"]
    last_stage = [word for word, _line in instructions(dockerfile)]
    last_stage = last_stage[len(last_stage) - 1 - last_stage[::-1].index("FROM") :]
    assert "USER" in last_stage
    after = last_stage[last_stage.index("USER") :]
    assert not {"RUN", "COPY", "ADD"} & set(after), "nothing is made by the user who runs it"


@each_dockerfile
def test_an_image_installs_hashed_packages_and_fetches_nothing_else(dockerfile: Path) -> None:
    lines = [line for _word, line in instructions(dockerfile)]
    for line in lines:
        assert not re.match(r"ADD\b", line), "COPY has no way to a network"
        assert not re.search(r"\b(curl|wget)\b|--trusted-host|--extra-index-url", line)
        if "pip install" in line:
            assert "--require-hashes" in line
            assert "--no-deps" in line
            assert "--only-binary :all:" in line


@each_dockerfile
def test_an_image_has_no_secret_in_its_layers(dockerfile: Path) -> None:
    set_here = [line for word, line in instructions(dockerfile) if word in {"ARG", "ENV"}]
    assert not [line for line in set_here if re.search("(?i)token|secret|password|key", line)]


def test_the_context_of_an_image_is_a_list_of_what_may_enter() -> None:
    lines = [line for line in IGNORED_BY_DOCKER if line and not line.startswith("#")]
    assert lines[0] == "*"
    for pattern in ("**/.env*", "**/*.pem", "**/*.key"):
        assert pattern in lines[max(i for i, line in enumerate(lines) if line[0] == "!") :]


def test_nothing_committed_looks_like_a_secret() -> None:
    files = committed_files()
    assert [f for f in files if SECRET_FILES.fullmatch(f.name)] == []
    assert [f for f in files if SECRETS.search(f.read_bytes())] == []


@pytest.mark.parametrize(
    "text", ["-----BEGIN RSA " + "PRIVATE KEY-----", "hf_" + 34 * "a", "sk-" + 40 * "b"]
)
def test_a_secret_would_be_noticed(text: str) -> None:
    assert SECRETS.search(f"TOKEN={text}".encode())
