"""The files of fitted parameters, by the real backend that they were fitted to. Reads none."""

from pathlib import Path

from sre_autopilot.errors import UnknownName

FOLDER = Path(__file__).parent / "fitted"


def fitted_file(backend: str) -> Path:
    """Where the parameters fitted to `backend` are. Raises UnknownName where there are none."""
    files = _files()
    if backend not in files:
        raise UnknownName("simulator_of", backend, files)
    return files[backend]


def fitted_backends() -> tuple[str, ...]:
    """The real backends that there are parameters of."""
    return tuple(_files())


def _files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(FOLDER.glob("*.json"))}
