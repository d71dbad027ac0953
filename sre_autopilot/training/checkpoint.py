"""What a training needs to go on after it was interrupted: one file, written in whole.

Tensors and plain values alone, which `torch.load` reads without running code of the file.
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch

from sre_autopilot.errors import InvalidValue
from sre_autopilot.world.vocabulary import WORLD_VERSION

FILE = "checkpoint.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """recipe: its text. samples: of the training in all. updates: how many are done.

    cpu_s: CPU seconds so far. draws: the state of torch's generator.
    """

    world_version: str
    recipe: str
    samples: int
    seed: int
    updates: int
    cpu_s: float
    networks: dict[str, Any]
    optimizer: dict[str, Any]
    draws: Any

    def save(self, folder: Path) -> None:
        part = folder / f"{FILE}.part"
        torch.save(asdict(self), part)
        part.replace(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> "Checkpoint":
        """Raises InvalidValue where the folder has none, or one of another world version."""
        path = folder / FILE
        try:
            values = torch.load(path, weights_only=True)
            checkpoint = cls(**{field.name: values[field.name] for field in fields(cls)})
        except FileNotFoundError as error:
            raise InvalidValue("resume", str(folder), f"a folder with a {FILE}") from error
        except Exception as error:  # torch does not say what reading a broken file may raise
            raise InvalidValue("resume", str(path), f"a checkpoint ({error})") from error
        if checkpoint.world_version != WORLD_VERSION:
            stale = f"{path}, of {checkpoint.world_version}"
            expected = f"a checkpoint of world version {WORLD_VERSION}: begin anew"
            raise InvalidValue("resume", stale, expected)
        return checkpoint
