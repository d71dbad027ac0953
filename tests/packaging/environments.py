"""Virtual environments like those of users, made without a network.

Third-party packages come as links to those that run the tests: exactly the distributions that an
install would bring, worked out from their metadata, and no other.
"""

import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

LEFT_OUT = frozenset({"gradio"})
"""OpenEnv asks for it and does without; with it an import of OpenEnv's server takes 5 s of CPU."""


@dataclass(frozen=True)
class UserEnvironment:
    """A virtual environment with the wheel in it."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "lib" / version / "site-packages"

    def script(self, name: str) -> Path:
        """A console script that the wheel installed."""
        return self.folder / "bin" / name


def create(folder: Path, wheel: Path, extras: Iterable[str] = ()) -> UserEnvironment:
    """An environment in which the wheel was installed with these extras."""
    environment = UserEnvironment(folder)
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(environment.python), "install", "-qq"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-compile", wheel], check=True)
    (ours,) = metadata.distributions(path=[str(environment.site_packages)])
    for distribution in closure(ours, extras):
        for entry in top_level_entries(distribution):
            target = environment.site_packages / entry.name
            if not target.exists():
                target.symlink_to(entry)
    return environment


def closure(root: metadata.Distribution, extras: Iterable[str]) -> Iterator[metadata.Distribution]:
    """All distributions that `root` with these extras needs here, itself left out."""
    waiting = [(root, frozenset(extras))]
    visited: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        distribution, extras_asked = waiting.pop()
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.name in LEFT_OUT or not _applies(requirement, extras_asked):
                continue
            key = (requirement.name, frozenset(requirement.extras))
            if key in visited:
                continue
            visited.add(key)
            own = requirement.name == root.name
            needed = root if own else metadata.distribution(requirement.name)
            waiting.append((needed, key[1]))
            if not own:
                yield needed


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": e}) for e in extras or {""})


def top_level_entries(distribution: metadata.Distribution) -> Iterator[Path]:
    """Packages, modules and metadata of a distribution, where it is installed."""
    names = {path.parts[0] for path in distribution.files or () if path.parts[0] != ".."}
    for name in sorted(names - {"__pycache__"}):
        yield Path(str(distribution.locate_file(name)))
