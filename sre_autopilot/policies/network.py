"""A trained network as arrays: its forward pass in NumPy, and the file that it is shipped in.

The file is a `.npz` without pickled objects: the layers, and a line of JSON that says where they
come from.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sre_autopilot.errors import InvalidValue
from sre_autopilot.history.tape import INPUT_COUNT, input_mask
from sre_autopilot.world.vocabulary import WORLD_VERSION

PROVENANCE = "provenance"
RETRAIN = "train it again: sre-autopilot train --out FILE"


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
    """layers: of each a (inputs, outputs) float32 matrix and its (outputs,) bias; ReLU between."""

    layers: Sequence[tuple[Any, Any]]
    provenance: Provenance

    def actions(self, inputs: Any) -> Any:
        """(lanes,) flat actions: of those that would be accepted, the one with the highest value.

        inputs: (lanes, INPUT_COUNT) float32, see `history.tape`.
        """
        return np.where(input_mask(inputs), self.logits(inputs), -np.inf).argmax(axis=1)

    def logits(self, inputs: Any) -> Any:
        """(lanes, FLAT_COUNT) float32."""
        hidden = inputs
        for number, (matrix, bias) in enumerate(self.layers):
            hidden = hidden @ matrix + bias
            if number < len(self.layers) - 1:
                hidden = np.maximum(hidden, np.float32(0.0))
        return hidden


def save(network: Network, path: Path) -> None:
    """Writes the file, in whole or not at all."""
    arrays: dict[str, Any] = {
        f"{name}{number}": array
        for number, layer in enumerate(network.layers)
        for name, array in zip(("matrix", "bias"), layer, strict=True)
    }
    arrays[PROVENANCE] = np.array(json.dumps(asdict(network.provenance)))
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, **arrays)
    part.replace(path)


def load(path: Path) -> Network:
    """Raises InvalidValue for a file that holds no such network, or one of another world version:
    scores of two versions are never compared, and what was learned in one may be wrong in another.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            provenance = Provenance(**json.loads(str(arrays[PROVENANCE])))
            count = (len(arrays.files) - 1) // 2
            layers = [(arrays[f"matrix{n}"], arrays[f"bias{n}"]) for n in range(count)]
    except FileNotFoundError as error:
        raise InvalidValue("weights", str(path), f"a file of weights; {RETRAIN}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        expected = f"a network that sre-autopilot train wrote ({type(error).__name__}: {error})"
        raise InvalidValue("weights", str(path), expected) from error
    if provenance.world_version != WORLD_VERSION:
        expected = f"weights of world version {WORLD_VERSION}; {RETRAIN}"
        raise InvalidValue("weights", f"{path}, of {provenance.world_version}", expected)
    if not layers or layers[0][0].shape[0] != INPUT_COUNT:
        raise InvalidValue("weights", str(path), f"a network of {INPUT_COUNT} inputs; {RETRAIN}")
    return Network(layers, provenance)
