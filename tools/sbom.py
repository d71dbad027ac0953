"""Software bills of materials, CycloneDX 1.6, read from the hashed locks. Asks no network.

Each lists what one lock pins: names, versions, hashes of the files that may be installed, and who
needs whom. https://cyclonedx.org/docs/1.6/json/ describes the format.
"""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre_autopilot.distribution import DISTRIBUTION
from sre_autopilot.version import __version__

LOCKS = Path(__file__).parents[1] / "requirements"
FORMAT, SPEC_VERSION, HASH = "CycloneDX", "1.6", "SHA-256"
SUFFIX = ".cdx.json"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, DISTRIBUTION)
"""Of serial numbers: the same lock has the same one."""

_PIN = re.compile(r"([\w.-]+)==([^\s;\\]+)(?: ; ([^\\]+))?")
_FILE_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NEEDED_BY = re.compile(r"^    # +(?:via )?+(?!via$|-c )(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pin:
    """One package of a lock.

    marker: where it is needed only on some machines, the condition (PEP 508).
    needed_by: names of the packages that need it; this project's own name where it does itself.
    """

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec: a name, and no address."""
        return f"pkg:pypi/{self.name}@{self.version}"


def read_lock(text: str) -> Iterator[Pin]:
    """The pins of a lock, in its order."""
    for entry in re.split(r"^(?=\w)", text, flags=re.MULTILINE):
        if pin := _PIN.match(entry):
            name, version, marker = pin.groups()
            needed_by = tuple(map(_requirer, _NEEDED_BY.findall(entry)))
            hashes = tuple(_FILE_HASH.findall(entry))
            yield Pin(name, version, marker and marker.strip(), hashes, needed_by)


def _requirer(words: str) -> str:
    """A package's name; this project's where a file of it asks for the package."""
    name = words.split(maxsplit=1)[0]
    return DISTRIBUTION if name.startswith("-") or "/" in name else name


def bill(lock: str, name: str) -> dict[str, Any]:
    """The bill of materials of a lock's text.

    name: of what the lock is for.
    """
    pins = list(read_lock(lock))
    root = {
        "type": "application",
        "bom-ref": f"{DISTRIBUTION}-{name}",
        "name": DISTRIBUTION,
        "version": __version__,
        "purl": f"pkg:pypi/{DISTRIBUTION}@{__version__}",
    }
    return {
        "bomFormat": FORMAT,
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, name + lock)}",
        "version": 1,
        "metadata": {"component": root},
        "components": [_component(pin) for pin in pins],
        "dependencies": [
            {"ref": ref, "dependsOn": [p.purl for p in pins if needs in p.needed_by]}
            for ref, needs in [
                (root["bom-ref"], DISTRIBUTION),
                *((pin.purl, pin.name) for pin in pins),
            ]
        ],
    }


def _component(pin: Pin) -> dict[str, Any]:
    condition = {"properties": [{"name": "marker", "value": pin.marker}]} if pin.marker else {}
    return {
        "type": "library",
        "bom-ref": pin.purl,
        "name": pin.name,
        "version": pin.version,
        "purl": pin.purl,
        "hashes": [{"alg": HASH, "content": content} for content in pin.hashes],
        **condition,
    }


def write(folder: Path) -> list[Path]:
    """Writes a bill for each lock; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for lock in sorted(LOCKS.glob("*.txt")):
        file = folder / f"{lock.stem}{SUFFIX}"
        document = bill(lock.read_text(encoding="utf-8"), lock.stem)
        file.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")
        files.append(file)
    return files
