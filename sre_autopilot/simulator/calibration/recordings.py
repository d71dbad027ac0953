"""Finished episodes as one small file of arrays, kept with the code.

Holds the truth before noise, the actions and the score; never observations, spans or hidden
parameters, which follow from tier and seed. Written by `sre-autopilot dev pack-recordings`.
"""

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from sre_autopilot import grading
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

COLUMNS = ("calls", "failed", "latency_p99", "cpu_pct", "memory_pct")
"""Of `Recording.true`: fields of `grading.TrueService`, in their units."""
END = '{"type": "end"'
"""How the last line of a record begins, once the episode is over."""
NO_SERVICE = -1
_TEXTS = ("backend", "policy", "tier", "world_version")

Taken = tuple[ActionName, Service | None, bool]
"""An action, the service it was for, and whether it was accepted."""
Truth = np.ndarray[Any, np.dtype[np.float32]]


class RecordingsError(ValueError):
    """Episodes that cannot be read or kept; the message begins with the file."""


class Key(NamedTuple):
    """What an episode can be repeated from."""

    policy: str
    tier: Tier
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One finished episode.

    policy: its name, empty where the record has none.
    actions: those of steps 1..n.
    true: (n + 1 steps, services in the order of `Service`, COLUMNS), step 0 being that of reset;
        nan where there was nothing to measure.
    score: as graded when it was played.
    """

    backend: str
    policy: str
    tier: Tier
    seed: int
    world_version: str
    actions: tuple[Taken, ...]
    true: Truth
    score: float

    @classmethod
    def of(cls, record: grading.EpisodeRecord) -> Self:
        """What is kept of a record. Raises ValueError for an episode that is not finished."""
        if not record.finished:
            raise ValueError(f"episode {record.episode_id} is not finished")
        taken = [step.action for step in record.steps if step.action is not None]
        return cls(
            backend=record.backend,
            policy=record.policy or "",
            tier=record.tier,
            seed=record.seed,
            world_version=record.world_version,
            actions=tuple((a.action, a.service_id, a.accepted) for a in taken),
            true=np.array([_row(step) for step in record.steps], np.float32),
            score=grading.grade(record).total if record.score is None else record.score,
        )

    @property
    def key(self) -> Key:
        return Key(self.policy, self.tier, self.seed)


def _row(step: grading.StepRecord) -> list[list[float]]:
    """One window: services x COLUMNS."""
    truths = (step.true[service] for service in Service)
    rows = ((t.calls, t.failed, t.latency_p99, t.cpu_pct, t.memory_pct) for t in truths)
    return [[np.nan if value is None else value for value in row] for row in rows]


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """Writes a .npz; equal recordings make equal bytes. Raises RecordingsError for no recording."""
    if not recordings:
        raise RecordingsError(f"{path}: no episode to write")
    names, services = list(ActionName), list(Service)
    taken = [action for recording in recordings for action in recording.actions]
    arrays = {
        "columns": np.array(COLUMNS),
        "services": np.array(services, np.str_),
        "action_names": np.array(names, np.str_),
        **{field: np.array([getattr(r, field) for r in recordings], np.str_) for field in _TEXTS},
        "seed": np.array([r.seed for r in recordings], np.int64),
        "score": np.array([r.score for r in recordings], np.float64),
        "steps": np.array([len(r.actions) for r in recordings], np.int64),
        "action": np.array([names.index(name) for name, _, _ in taken], np.int8),
        "service": np.array(
            [NO_SERVICE if s is None else services.index(s) for _, s, _ in taken], np.int8
        ),
        "accepted": np.array([accepted for _, _, accepted in taken], np.bool_),
        "true": np.concatenate([r.true for r in recordings]),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read(path: Path) -> list[Recording]:
    """Recordings in the order they were written in. Raises OSError, RecordingsError."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return list(_recordings(dict(arrays)))
    except KeyError as error:
        raise RecordingsError(f"{path}: holds no array {error}") from error
    except (ValueError, IndexError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RecordingsError(f"{path}: not a file of recordings: {error}") from error


def _recordings(arrays: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[Recording]:
    for name, expected in (("columns", COLUMNS), ("services", tuple(Service))):
        if tuple(arrays[name].tolist()) != expected:
            raise ValueError(
                f"its {name} are {', '.join(arrays[name].tolist())}, not {', '.join(expected)}"
            )
    steps = arrays["steps"]
    if (len(arrays["action"]), len(arrays["true"])) != (steps.sum(), (steps + 1).sum()):
        raise ValueError("its episodes are not as long as it says")
    actions = np.split(np.arange(steps.sum()), np.cumsum(steps)[:-1])
    windows = np.split(arrays["true"], np.cumsum(steps + 1)[:-1])
    taken = list(_taken(arrays))
    for index, (numbers, true) in enumerate(zip(actions, windows, strict=True)):
        backend, policy, tier, world_version = (str(arrays[name][index]) for name in _TEXTS)
        yield Recording(
            backend=backend,
            policy=policy,
            tier=Tier(tier),
            seed=int(arrays["seed"][index]),
            world_version=world_version,
            actions=tuple(taken[number] for number in numbers),
            true=true,
            score=float(arrays["score"][index]),
        )


def _taken(arrays: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[Taken]:
    names, services = [ActionName(name) for name in arrays["action_names"].tolist()], list(Service)
    columns = (arrays[name].tolist() for name in ("action", "service", "accepted"))
    for name, service, accepted in zip(*columns, strict=True):
        yield names[name], None if service == NO_SERVICE else services[service], accepted


def collect(folder: Path) -> tuple[list[Recording], int]:
    """Finished episodes of a folder whose score counts, and how many others it holds.

    Raises RecordingsError.
    """
    recordings, left_out = list[Recording](), 0
    for path in sorted(folder.glob("*.jsonl")):
        lines = path.read_text(encoding="ascii").splitlines()
        if lines and not lines[-1].startswith(END) and lines[0].startswith('{"type": "episode"'):
            left_out += 1
            continue
        try:
            records = list(grading.read_episodes(lines))
        except grading.RecordError as error:
            raise RecordingsError(f"{path}: {error}") from error
        kept = [record for record in records if record.finished and record.checked_validity.counts]
        left_out += len(records) - len(kept)
        recordings += map(Recording.of, kept)
    return recordings, left_out


def one_world(recordings: Sequence[Recording]) -> tuple[str, str]:
    """Backend and world version of all of them. Raises ValueError where they are of several."""
    worlds = {(recording.backend, recording.world_version) for recording in recordings}
    if len(worlds) != 1:
        names = ", ".join(f"{backend} {version}" for backend, version in sorted(worlds))
        raise ValueError(
            f"episodes of one backend and world version are needed, these are of: {names or 'none'}"
        )
    (world,) = worlds
    return world


def gather(sources: Iterable[Path]) -> tuple[list[Recording], int]:
    """Episodes of folders of records and of earlier recordings, sorted by key; and how many
    were left out, see `collect`. Raises OSError, RecordingsError.
    """
    recordings, left_out = list[Recording](), 0
    for source in sources:
        kept, others = collect(source) if source.is_dir() else (read(source), 0)
        recordings += kept
        left_out += others
    return sorted(recordings, key=lambda recording: recording.key), left_out
