"""A calibration: fitted parameters, what they leave unexplained, and from which file they came.

Writes the parameters that the simulator reads. The command is `sre-autopilot dev calibrate`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.calibration.evidence import Evidence
from sre_autopilot.simulator.calibration.fit import fit, residuals
from sre_autopilot.simulator.calibration.recordings import Recording
from sre_autopilot.simulator.fitted_files import FOLDER
from sre_autopilot.world.topology import MAX_REPLICAS

DATA = Path("docs/calibration")


class Calibration(NamedTuple):
    """Fitted parameters by name, what they leave unexplained, and where they came from."""

    fitted: Mapping[str, Any]
    residuals: Mapping[str, Any]
    provenance: Mapping[str, Any]


def calibrate(backend: str, source: Path, recordings: Sequence[Recording]) -> Calibration:
    """Fits to the recordings of the file `source`. Raises ValueError where they are too few."""
    evidence = Evidence.of(recordings)
    fitted = fit(evidence)
    unexplained = residuals(evidence, fitted)
    provenance = {
        "backend": backend,
        "recordings": source.name,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "episodes": len(recordings),
        "windows": len(evidence.windows),
        "world_version": recordings[0].world_version,
        "residuals": unexplained,
    }
    return Calibration(fitted, unexplained, provenance)


def save(calibration: Calibration) -> Path:
    """Writes the simulator's parameters of the backend; returns the file."""
    path = FOLDER / f"{calibration.provenance['backend']}.json"
    parameters.save(path, calibration.fitted, calibration.provenance)
    return path


def table(calibration: Calibration, title: str) -> Table:
    """The parameters of a few numbers each, and the residuals, for a terminal."""
    out = Table(
        "parameter", "value", title=f"{title}: {calibration.provenance['episodes']} episodes"
    )
    for name, value in calibration.fitted.items():
        if np.ndim(value) < MAX_REPLICAS and name != "slow_checkout":
            out.add_row(name, np.array2string(np.asarray(value), precision=3))
    for name, value in calibration.residuals.items():
        out.add_row(f"residual of {name}", np.array2string(np.asarray(value), precision=3))
    return out
