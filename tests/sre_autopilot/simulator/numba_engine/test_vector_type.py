"""Rows in registers mean what arrays mean to NumPy, down to the odd values."""

import numba
import numpy as np
import pytest

from sre_autopilot.simulator.numba_engine import vector_type as registers
from sre_autopilot.simulator.numba_engine.memory import bank
from sre_autopilot.simulator.numba_engine.overloads import compile_laws
from sre_autopilot.simulator.numba_engine.vector_type import WIDTH
from sre_autopilot.simulator.rules import array_ops as reading

compile_laws()
ODD = np.array([0.0, -0.0, 1.0, -2.5, 0.5, np.nan, np.inf, -np.inf])
PAIRS = np.stack(np.meshgrid(ODD, ODD)).reshape(2, -1, WIDTH)
TABLE = np.arange(20.0).reshape(2, 10) ** 2


def reals(x, y, out):
    out[0], out[1], out[2] = x + y, x - y, x * y
    out[3], out[4] = x / y, -x
    out[5], out[6], out[7] = np.maximum(x, y), np.minimum(x, y), np.fmax(x, y)
    out[8], out[9] = np.floor(x), np.rint(x)
    out[10] = np.sqrt(np.maximum(x, 0.0))
    out[11] = reading.where(x < y, 1.0, 0.0)
    out[12] = reading.where((x <= y) & (x != y), x, 7)
    out[13] = reading.where((x >= y) | np.isnan(y), x, y)
    out[14] = reading.where((x == y) ^ True, 2 * x, y)
    out[15] = reading.where(x > 0.0, y, 0.0 * y)


def wholes(keys, out):
    half = keys >> np.uint64(1)
    out[0] = reading.real(half)
    out[1] = reading.real((half ^ (half + np.uint64(3))) & np.uint64(0xFFFF))
    place = reading.whole(reading.real(keys & np.uint64(7)))
    out[2] = TABLE[1][place]
    out[3] = TABLE[1, place]
    out[4] = reading.real(reading.bits_of(reading.real(half)) >> 52)
    out[5] = reading.number_of(reading.bits_of(reading.real(half)))
    out[6] = reading.real(reading.unsigned(reading.real(place)) * np.uint64(3))


@numba.njit(error_model="numpy")
def reals_in_rows(x, y, out):
    reals_law(bank(x, 0)[0], bank(y, 0)[0], bank(out, 0))


@numba.njit
def any_above(x, bound):
    return reading.some(bank(x, 0)[0] > bound)


reals_law = numba.njit(error_model="numpy")(reals)


@pytest.mark.parametrize("pair", range(PAIRS.shape[1]))
def test_reals(pair):
    x, y = np.ascontiguousarray(PAIRS[:, pair])
    found, expected = np.zeros((16, WIDTH)), np.zeros((16, WIDTH))
    reals_in_rows(x, y, found)
    with np.errstate(all="ignore"):
        reals(x, y, expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("by_one_instruction", [True, False])
def test_wholes_and_tables(monkeypatch, by_one_instruction):
    monkeypatch.setattr(registers, "_GATHERS_FAST", by_one_instruction)
    law = numba.njit(error_model="numpy")(wholes)

    @numba.njit(error_model="numpy")
    def wholes_in_rows(keys, out):
        law(bank(keys, 0)[0], bank(out, 0))

    keys = np.array([0, 1, 7, 8, 2**31, 2**53 + 1, 2**63, 2**64 - 1], np.uint64)
    found, expected = np.zeros((7, WIDTH)), np.zeros((7, WIDTH))
    wholes_in_rows(keys, found)
    wholes(keys, expected)
    np.testing.assert_array_equal(found, expected)


def test_whether_any_lane_has_it():
    x = np.arange(float(WIDTH))
    assert any_above(x, WIDTH - 1.5)
    assert not any_above(x, WIDTH - 1.0)
