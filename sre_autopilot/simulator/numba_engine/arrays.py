"""Arrays in the form that the compiled code takes: records, and rows aligned to a register."""

from typing import Any

import numpy as np

from sre_autopilot.simulator.numba_engine.vector_type import WIDTH


def record_of(group: Any) -> Any:
    """(1,) record of all fields of a NamedTuple: Numba passes it by address, not field by field."""
    fields = {name: np.asarray(value) for name, value in group._asdict().items()}
    dtype = np.dtype([(name, value.dtype, value.shape) for name, value in fields.items()])
    record = np.zeros(1, dtype)
    for name, value in fields.items():
        record[name] = value
    return record


def aligned_rows(*shape: int, dtype: Any = np.float64) -> Any:
    """Zeros, (*shape, WIDTH), each row aligned to its own size, so that no load spans two lines."""
    count = int(np.prod(shape)) * WIDTH
    room = np.zeros(count + WIDTH, dtype)
    skipped = -(room.ctypes.data // room.itemsize) % WIDTH
    return room[skipped : skipped + count].reshape(*shape, WIDTH)
