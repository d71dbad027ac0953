"""Lanes of several simulated worlds side by side, so that a policy learns none of them by heart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.gym.action_coding import FLAT
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv

Info = Mapping[str, Any]


class World(NamedTuple):
    """A simulator of a real backend, on a host.

    backend: whose fitted parameters it has. cpu_scale: CPU that the same work takes on its host,
    as a multiple of what it took where the parameters were fitted.
    """

    backend: str
    cpu_scale: float = 1.0


def lanes_of(
    shares: Mapping[str, float], cpu_scales: Sequence[float], lanes: int
) -> dict[World, int]:
    """How many of the lanes each world has, hosts alike; one without a lane is left out.

    shares: of the real backends.
    """
    worlds = [World(*each) for each in product(shares, cpu_scales)]
    ends = np.cumsum([shares[world.backend] for world in worlds])
    counts = np.diff([0, *np.round(ends / ends[-1] * lanes).astype(int)])
    return {world: int(count) for world, count in zip(worlds, counts, strict=True) if count}


class SideBySide:
    """Steps the lanes of all worlds as those of one: first all of the first world, and so on.

    worlds: lanes of each.
    tiers: share of the episodes of each.
    """

    def __init__(
        self, worlds: Mapping[World, int], tiers: Mapping[str, float], engine: str | None
    ) -> None:
        self._envs = [
            SREAutopilotVectorEnv(
                lanes,
                simulator_of=parameters.on_host(parameters.load(world.backend), world.cpu_scale),
                engine=engine,
                tiers=tiers,
                actions=FLAT,
                trace_edges=True,
                privileged=True,
            )
            for world, lanes in worlds.items()
        ]
        self._begins = np.cumsum([*worlds.values()])[:-1]

    def reset(self, first_seeds: Iterable[int]) -> tuple[Any, Info]:
        """Rows and info of lanes in the middle of their episodes. first_seeds: one a world."""
        pairs = [
            env.reset(seed=seed, options={"staggered": True})
            for env, seed in zip(self._envs, first_seeds, strict=True)
        ]
        rows, infos = zip(*pairs, strict=True)
        return _joined(rows), _joined_info(infos)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Info]:
        """actions: (lanes,) flat ones. Rows, rewards, ends and info."""
        parts = np.split(actions, self._begins)
        steps = [env.step(part) for env, part in zip(self._envs, parts, strict=True)]
        rows, rewards, ends, _, infos = zip(*steps, strict=True)
        return _joined(rows), _joined(rewards), _joined(ends), _joined_info(infos)


def _joined(parts: tuple[Any, ...]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _joined_info(infos: tuple[Info, ...]) -> Info:
    return {name: _joined(tuple(info[name] for info in infos)) for name in infos[0]}
