"""Two equal worlds, recorded."""

import pytest

from tests.sre_autopilot.evaluation.sim_to_real.recorded_worlds import REAL, SIM, world


@pytest.fixture(scope="module")
def real():
    return world(REAL)


@pytest.fixture(scope="module")
def sim():
    return world(SIM)
