"""Chooses what runs the rules: Numba where it is installed, NumPy everywhere; the same bits."""

import warnings
from functools import cache
from importlib.util import find_spec

from sre_autopilot.distribution import installation_command
from sre_autopilot.errors import UnknownName
from sre_autopilot.simulator import parameters, span_rules
from sre_autopilot.simulator.batch import Engine
from sre_autopilot.simulator.numpy_engine import NumpyEngine
from sre_autopilot.simulator.rules.window_arrays import Parameters
from sre_autopilot.simulator.span_rules import SpanRules

NUMBA, NUMPY = "numba", "numpy"
ENGINES = (NUMBA, NUMPY)


def make_engine(
    name: str | None, simulator_of: str | Parameters, lanes: int, *, keeps_calls: bool = False
) -> Engine:
    """An engine of `lanes` lanes.

    name: one of ENGINES, or None for the fastest that is installed.
    simulator_of: the real backend that its parameters are fitted to, or the parameters.
    keeps_calls: whether it writes `Engine.calls`.
    Raises UnknownName, and ModuleNotFoundError where Numba is named but not installed.
    """
    if name is not None and name not in ENGINES:
        raise UnknownName("engine", name, ENGINES)
    fitted = parameters.load(simulator_of) if isinstance(simulator_of, str) else simulator_of
    if (name or fastest_installed()) == NUMPY:
        return NumpyEngine(fitted, lanes, keeps_calls=keeps_calls)
    # Importing it loads the compiler, which takes seconds.
    from sre_autopilot.simulator.numba_engine.engine import NumbaEngine  # noqa: PLC0415

    return NumbaEngine(fitted, lanes, keeps_calls=keeps_calls)


def span_rules_of(engine: Engine) -> SpanRules:
    """Those that go with an engine."""
    if isinstance(engine, NumpyEngine):
        return span_rules
    from sre_autopilot.simulator.numba_engine import spans  # noqa: PLC0415

    return spans


@cache
def fastest_installed() -> str:
    """Says once per process what is missing, as it is cached."""
    if find_spec("numba") is not None:
        return NUMBA
    warnings.warn(
        "Numba is not installed: the NumPy engine runs instead, with the same results at about a "
        f"tenth of the speed. {installation_command('numba')}, or pass engine='numpy'.",
        stacklevel=2,
    )
    return NUMPY
