"""The file of fitted parameters: one for each real backend, with where it came from."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from sre_autopilot.simulator.fitted_files import fitted_file
from sre_autopilot.simulator.rules.window_arrays import BINS, Parameters

_ARRAY_FIELDS = tuple(name for name in Parameters._fields if name != "normal")
_CPU_OF_WORK = ("cpu_idle_pct", "cpu_call_pct", "cpu_lost_pct", "cpu_pct", "cpu_started_pct")
_DIGITS = 6


def middle_quantiles(values: Any) -> list[float]:
    """BINS quantiles of a sample, each at the middle of its share."""
    return [float(q) for q in np.quantile(np.asarray(values, np.float64), _middles())]


def normal_table() -> np.ndarray[Any, Any]:
    """BINS quantiles of the standard normal, (1, BINS), to the same digits anywhere."""
    return np.round(np.asarray([[NormalDist().inv_cdf(share) for share in _middles()]]), _DIGITS)


def save(path: Path, fitted: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Writes all fields but `normal`, which is not fitted, and where they came from."""
    missing = set(_ARRAY_FIELDS) ^ set(fitted)
    if missing:
        raise ValueError(f"{path}: fields missing or unknown: {', '.join(sorted(missing))}")
    rounded = {name: np.round(np.asarray(fitted[name], np.float64), 4) for name in _ARRAY_FIELDS}
    lists = {name: value.tolist() for name, value in rounded.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {"provenance": provenance, **lists}
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


def load(backend: str) -> Parameters:
    """Parameters fitted to a real backend. Raises UnknownName where none are."""
    fields = json.loads(fitted_file(backend).read_text(encoding="ascii"))
    values = {
        name: np.asarray(value, np.float64) if isinstance(value, list) else float(value)
        for name, value in fields.items()
        if name in _ARRAY_FIELDS
    }
    return Parameters(**values, normal=normal_table())


def on_host(fitted: Parameters, cpu_scale: float) -> Parameters:
    """The same world on a host where the same work takes `cpu_scale` times the CPU.

    What a noisy neighbour burns is a share of the limit anywhere, so that it stays.
    """
    return fitted._replace(**{name: getattr(fitted, name) * cpu_scale for name in _CPU_OF_WORK})


def _middles() -> np.ndarray[Any, Any]:
    return (np.arange(BINS) + 0.5) / BINS
