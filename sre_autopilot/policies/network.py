"""A trained network as arrays: its forward pass in NumPy, and the file that it is shipped in.

A layer reads the newest observation, a gated recurrent unit remembers (Cho et al., "Learning phrase
representations using RNN encoder-decoder", 2014), and two layers choose. The file is a `.npz`
without pickled objects: the arrays, and a line of JSON that says where they come from.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sre_autopilot.errors import InvalidValue
from sre_autopilot.history.newest import (
    CAME_FROM,
    CLOCK,
    DONE_FROM,
    NEWEST_COUNT,
    VALUES_FROM,
    newest_mask,
)
from sre_autopilot.world.vocabulary import WORLD_VERSION

PROVENANCE = "provenance"
RETRAIN = "train it again: sre-autopilot train --out FILE"
SCALING = ("mean", "inverse_deviation")
LAYERS = ("first", "gates_of_inputs", "gates_of_state", "second", "actor")
"""Each is two arrays: a matrix (inputs, outputs), and its bias."""
_ZERO, _HALF, _ONE = map(np.float32, (0.0, 0.5, 1.0))


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where weights come from, and how to get them again.

    commit: of the code that trained them. recipe: its text, TOML. seed: of the training.
    samples: steps of training. cpu_s: CPU seconds that it took.
    scores: of each tier, the mean over the validation seeds.
    """

    world_version: str
    commit: str
    recipe: str
    seed: int
    samples: int
    cpu_s: float
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Network:
    """arrays: float32, those of SCALING by name and of LAYERS as `matrix_` and `bias_` of it.

    A step of `inputs`, see `history.newest`, and of the state that the step before left.
    """

    arrays: Mapping[str, Any]
    provenance: Provenance

    def blank_state(self, lanes: int) -> Any:
        """(lanes, units) float32: before an episode."""
        return np.zeros((lanes, len(self.arrays["matrix_gates_of_state"])), np.float32)

    def actions(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        """(lanes,) flat actions: of those that would be accepted, the one with the highest value;
        and the state after this step.
        """
        logits, state = self.logits(inputs, state)
        return np.where(newest_mask(inputs), logits, -np.inf).argmax(axis=1), state

    def logits(self, inputs: Any, state: Any) -> tuple[Any, Any]:
        """(lanes, FLAT_COUNT) float32, and the state after this step.

        inputs: (lanes, NEWEST_COUNT). state: where an episode begins it does not matter.
        """
        scaled = (inputs - self.arrays["mean"]) * self.arrays["inverse_deviation"]
        # What did not come counts as the mean of what did.
        scaled[:, VALUES_FROM:CAME_FROM] *= inputs[:, CAME_FROM:DONE_FROM]
        read = np.maximum(self._through("first", scaled), _ZERO)
        before = state * (inputs[:, CLOCK, None] != 0.0)
        of_inputs = self._through("gates_of_inputs", read)
        of_state = self._through("gates_of_state", before)
        width = before.shape[1]
        gates = _sigmoid(of_inputs[:, : 2 * width] + of_state[:, : 2 * width])
        reset, update = gates[:, :width], gates[:, width:]
        new = np.tanh(of_inputs[:, 2 * width :] + reset * of_state[:, 2 * width :])
        after = new + update * (before - new)
        chosen = np.maximum(self._through("second", after), _ZERO)
        return self._through("actor", chosen), after

    def _through(self, layer: str, inputs: Any) -> Any:
        return inputs @ self.arrays[f"matrix_{layer}"] + self.arrays[f"bias_{layer}"]


def _sigmoid(x: Any) -> Any:
    """By tanh, which overflows nowhere."""
    return _HALF * (np.tanh(_HALF * x) + _ONE)


def array_names() -> list[str]:
    return [*SCALING, *(f"{part}_{layer}" for layer in LAYERS for part in ("matrix", "bias"))]


def save(network: Network, path: Path) -> None:
    """Writes the file, in whole or not at all."""
    arrays: dict[str, Any] = {**network.arrays}
    arrays[PROVENANCE] = np.array(json.dumps(asdict(network.provenance)))
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, **arrays)
    part.replace(path)


def load(path: Path) -> Network:
    """Raises InvalidValue for a file that holds no such network, or one of another world version:
    scores of two versions are never compared, and what was learned in one may be wrong in another.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            provenance = Provenance(**json.loads(str(stored[PROVENANCE])))
            arrays = {name: stored[name] for name in array_names()}
    except FileNotFoundError as error:
        raise InvalidValue("weights", str(path), f"a file of weights; {RETRAIN}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        expected = f"a network that sre-autopilot train wrote ({type(error).__name__}: {error})"
        raise InvalidValue("weights", str(path), expected) from error
    if provenance.world_version != WORLD_VERSION:
        expected = f"weights of world version {WORLD_VERSION}; {RETRAIN}"
        raise InvalidValue("weights", f"{path}, of {provenance.world_version}", expected)
    if arrays["mean"].shape != (NEWEST_COUNT,):
        raise InvalidValue("weights", str(path), f"a network of {NEWEST_COUNT} inputs; {RETRAIN}")
    return Network(arrays, provenance)
