"""Checkpoints: everything comes back, nothing is half written, and no file runs code."""

from dataclasses import fields, replace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from sre_autopilot.errors import InvalidValue  # noqa: E402
from sre_autopilot.training.checkpoint import FILE, Checkpoint  # noqa: E402
from sre_autopilot.world.vocabulary import WORLD_VERSION  # noqa: E402


class Harmful:
    """Unpickling it would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def checkpoint():
    return Checkpoint(
        world_version=WORLD_VERSION,
        recipe="samples = 1",
        samples=1,
        seed=2,
        updates=3,
        cpu_s=4.5,
        networks={"trunk.0.weight": torch.arange(6.0).reshape(2, 3)},
        optimizer={"state": {}, "param_groups": [{"lr": 1e-3}]},
        draws=torch.get_rng_state(),
    )


def test_a_checkpoint_comes_back_as_it_was(checkpoint, tmp_path):
    checkpoint.save(tmp_path)
    loaded = Checkpoint.load(tmp_path)
    plain = [field.name for field in fields(Checkpoint) if field.name not in {"networks", "draws"}]
    assert all(getattr(loaded, name) == getattr(checkpoint, name) for name in plain)
    assert torch.equal(*(each.networks["trunk.0.weight"] for each in (loaded, checkpoint)))
    assert torch.equal(loaded.draws, checkpoint.draws)


def test_a_checkpoint_replaces_the_last_one_and_leaves_no_parts(checkpoint, tmp_path):
    checkpoint.save(tmp_path)
    replace(checkpoint, updates=9).save(tmp_path)
    assert Checkpoint.load(tmp_path).updates == 9
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path):
    written = tmp_path / "written"
    torch.save({"recipe": Harmful(written)}, tmp_path / FILE)
    with pytest.raises(InvalidValue, match="resume must be a checkpoint"):
        Checkpoint.load(tmp_path)
    assert not written.exists()


def test_a_file_without_a_field_is_refused(tmp_path):
    torch.save({"recipe": "samples = 1"}, tmp_path / FILE)
    with pytest.raises(InvalidValue, match="world_version"):
        Checkpoint.load(tmp_path)
