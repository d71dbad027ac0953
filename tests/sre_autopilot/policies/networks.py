"""Networks that nobody trained, for tests of what plays by them."""

import numpy as np

from sre_autopilot.history.newest import NEWEST_COUNT
from sre_autopilot.policies.network import LAYERS, Network, Provenance
from sre_autopilot.simulator.gym.action_coding import FLAT_COUNT, FLAT_WAIT

UNITS = 6
SHAPES = dict(
    zip(
        LAYERS,
        ((NEWEST_COUNT, 9), (9, 3 * UNITS), (UNITS, 3 * UNITS), (UNITS, 8), (8, FLAT_COUNT)),
        strict=True,
    )
)


def random_network(provenance: Provenance, seed: int = 5) -> Network:
    """It takes many different actions."""
    draws = np.random.default_rng(seed)
    arrays = {
        "mean": draws.normal(size=NEWEST_COUNT).astype(np.float32),
        "inverse_deviation": draws.uniform(0.5, 2.0, NEWEST_COUNT).astype(np.float32),
    }
    for name, shape in SHAPES.items():
        scale = np.float32(shape[0] ** -0.5)
        arrays[f"matrix_{name}"] = draws.normal(size=shape).astype(np.float32) * scale
        arrays[f"bias_{name}"] = draws.normal(size=shape[1]).astype(np.float32)
    return Network(arrays, provenance)


def waiting_network(provenance: Provenance) -> Network:
    """It waits, whatever it reads."""
    network = random_network(provenance)
    arrays = {name: np.zeros_like(array) for name, array in network.arrays.items()}
    arrays["bias_actor"][FLAT_WAIT] = 1.0
    return Network(arrays, provenance)
