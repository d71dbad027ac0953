"""What the repository promises beside its code: targets, locks, generated files, no addresses."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, committed_files

MAKEFILE = (ROOT / "Makefile").read_text()
LOCKS = {path.name: path.read_text() for path in (ROOT / "requirements").glob("*.txt")}

REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
    )
]


def test_no_file_names_a_package_registry() -> None:
    named = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in committed_files()
        for content in [path.read_bytes()]
        for host in REGISTRY_HOSTS
        if host.encode() in content
    ]
    assert not named, "an address of a registry belongs to the machine's settings"


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_and_hashes_everything_and_names_no_address(lock: str) -> None:
    entries = re.split(r"^(?=\w)", re.sub(r"^ *#.*\n", "", LOCKS[lock], flags=re.M), flags=re.M)
    assert len(entries) > 1
    assert [e for e in entries[1:] if "==" not in e or "--hash=sha256:" not in e] == []
    assert not re.search(r"https?:|file:|--(extra-)?index-url|--find-links", LOCKS[lock])


def test_locks_of_the_images_are_part_of_the_tested_lock() -> None:
    pins = {name: set(re.findall(r"^[\w.-]+==[^ ]+", text, re.M)) for name, text in LOCKS.items()}
    assert pins["mesh.txt"] < pins["server.txt"] < pins["dev.txt"]


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    explained = [line.split(maxsplit=1)[0] for line in listed.splitlines() if " " in line.strip()]
    assert explained == re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.M)
    assert set(explained) == set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, re.M))


def test_the_lock_with_addresses_is_ignored() -> None:
    assert "uv.lock" in (ROOT / ".gitignore").read_text().splitlines()


def test_ci_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_generated_files_are_fresh(tmp_path: Path) -> None:
    """`dev generate`, run in a copy of the tree, changes nothing."""
    committed = {path.relative_to(ROOT): path.read_bytes() for path in committed_files()}
    for path, content in committed.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    command = (sys.executable, "-m", "sre_autopilot.cli", "dev", "generate")
    subprocess.run(command, cwd=tmp_path, check=True)
    stale = [p for p, content in committed.items() if (tmp_path / p).read_bytes() != content]
    assert not stale, "run `make generate`"


def test_a_checkout_has_unix_line_ends_whatever_the_host_s_git_does(tmp_path: Path) -> None:
    clone = ("git", "-c", "core.autocrlf=true", "clone", "--quiet", str(ROOT), str(tmp_path / "c"))
    subprocess.run(clone, check=True)
    scripts = [path for path in (tmp_path / "c").rglob("*.sh") if b"\r" in path.read_bytes()]
    assert scripts == []
