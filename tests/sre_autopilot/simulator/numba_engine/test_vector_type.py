"""Rows in registers mean what arrays mean to NumPy, down to the odd values."""

import numba
import numpy as np
import pytest

from sre_autopilot.simulator.numba_engine import overloads, vector_type
from sre_autopilot.simulator.numba_engine.memory import rows_at
from sre_autopilot.simulator.numba_engine.vector_type import WIDTH
from sre_autopilot.simulator.rules import array_ops

assert overloads.RULE_MODULES  # Importing it defines the operations.
ODD = np.array([0.0, -0.0, 1.0, -2.5, 0.5, np.nan, np.inf, -np.inf])
PAIRS = np.stack(np.meshgrid(ODD, ODD)).reshape(2, -1, WIDTH)
TABLE = np.arange(20.0).reshape(2, 10) ** 2


def reals(x, y, out):
    out[0], out[1], out[2] = x + y, x - y, x * y
    out[3], out[4] = x / y, -x
    out[5], out[6], out[7] = np.maximum(x, y), np.minimum(x, y), np.fmax(x, y)
    out[8], out[9] = np.floor(x), np.rint(x)
    out[10] = np.sqrt(np.maximum(x, 0.0))
    out[11] = array_ops.where(x < y, 1.0, 0.0)
    out[12] = array_ops.where((x <= y) & (x != y), x, 7)
    out[13] = array_ops.where((x >= y) | np.isnan(y), x, y)
    out[14] = array_ops.where(array_ops.negate(x == y), 2 * x, y)
    out[15] = array_ops.where((x > 0.0) | array_ops.no_lane(x), y, array_ops.zeros_like(y))
    product = x + y
    product *= y
    out[16] = product


def wholes(keys, out):
    half = keys >> np.uint64(1)
    out[0] = array_ops.to_float(half)
    out[1] = array_ops.to_float((half ^ (half + np.uint64(3))) & np.uint64(0xFFFF))
    place = array_ops.to_int(array_ops.to_float(keys & np.uint64(7)))
    out[2] = TABLE[1][place]
    out[3] = TABLE[1, place]
    out[4] = array_ops.to_float(array_ops.float_bits(array_ops.to_float(half)) >> 52)
    out[5] = array_ops.float_of_bits(array_ops.float_bits(array_ops.to_float(half)))
    out[6] = array_ops.to_float(array_ops.to_key(array_ops.to_float(place)) * np.uint64(3))
    mixed = keys + np.uint64(1)
    mixed ^= keys >> np.uint64(3)
    out[7] = array_ops.to_float((mixed // np.uint64(3)) >> np.uint64(1))


@numba.njit(error_model="numpy")
def reals_in_rows(x, y, out):
    compiled_reals(rows_at(x, 0)[0], rows_at(y, 0)[0], rows_at(out, 0))


@numba.njit
def mixed_indices(table, row, column):
    return table[row, column] + table[row, np.uint64(1)]


@numba.njit
def any_above(x, bound):
    return array_ops.any_lane(rows_at(x, 0)[0] > bound)


compiled_reals = numba.njit(error_model="numpy")(reals)


@pytest.mark.parametrize("pair", range(PAIRS.shape[1]))
def test_reals(pair):
    x, y = np.ascontiguousarray(PAIRS[:, pair])
    computed, expected = np.zeros((17, WIDTH)), np.zeros((17, WIDTH))
    reals_in_rows(x, y, computed)
    with np.errstate(all="ignore"):
        reals(x, y, expected)
    np.testing.assert_array_equal(computed, expected)


@pytest.mark.parametrize("by_one_instruction", [True, False])
def test_wholes_and_tables(monkeypatch, by_one_instruction):
    monkeypatch.setattr(vector_type, "_FAST_GATHER", by_one_instruction)
    compiled = numba.njit(error_model="numpy")(wholes)

    @numba.njit(error_model="numpy")
    def wholes_in_rows(keys, out):
        compiled(rows_at(keys, 0)[0], rows_at(out, 0))

    keys = np.array([0, 1, 7, 8, 2**31, 2**53 + 1, 2**63, 2**64 - 1], np.uint64)
    computed, expected = np.zeros((8, WIDTH)), np.zeros((8, WIDTH))
    wholes_in_rows(keys, computed)
    wholes(keys, expected)
    np.testing.assert_array_equal(computed, expected)


def test_whether_any_lane_has_it():
    x = np.arange(float(WIDTH))
    assert any_above(x, WIDTH - 1.5)
    assert not any_above(x, WIDTH - 1.0)


def test_compiled_code_of_others_keeps_its_indices():
    """What the simulator teaches Numba holds for vectors alone: two kinds of integers are none."""
    for column in (np.uint8(4), np.int32(4), 4):
        assert mixed_indices(TABLE, 1, column) == TABLE[1, 4] + TABLE[1, 1]
