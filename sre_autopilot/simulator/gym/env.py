"""One episode at a time: what `gymnasium.make` gives. A vector of one, and pictures of it."""

from collections.abc import Collection, Iterable
from typing import Any

import gymnasium
import numpy as np

from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.arguments import parse_render_mode
from sre_autopilot.simulator.gym.pictures import ANSI, RGB_ARRAY, picture_of_rows, table
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.world.vocabulary import ActionName, Tier


class SREAutopilotEnv(gymnasium.Env[Any, Any]):
    """One incident: spaces, rewards and ends as of `SREAutopilotVectorEnv`, for one episode.

    ### Rendering
    `ansi`: a table of what the agent observes. `rgb_array`: a row a service, a column a step, green
    where the verdict is that the SLA is met.

    ### Arguments
    As for the vector, without `num_envs` and `autoreset_mode`; `engine` is "numpy" by default,
    which for one episode loses little and needs no compiler.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's way
        "render_modes": [ANSI, RGB_ARRAY],
        "render_fps": 4,
    }

    def __init__(
        self,
        tier: str = Tier.EASY,
        simulator_of: str = "process",
        engine: str | None = NUMPY,
        *,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        self._vector = SREAutopilotVectorEnv(1, tier, simulator_of, engine, **options)
        self.observation_space = self._vector.single_observation_space
        self.action_space = self._vector.single_action_space
        self.render_mode = parse_render_mode(render_mode, self.metadata["render_modes"])
        self._rows: list[Any] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """The episode of `seed`; without one, of a seed from the environment's own generator."""
        super().reset(seed=seed)
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        rows, info = self._vector.reset(seed=seed, options=options)
        self._rows = [rows[0]]
        return rows[0], _first(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        rows, rewards, done, _, info = self._vector.step(np.asarray(action)[None])
        self._rows.append(rows[0])
        return rows[0], float(rewards[0]), bool(done[0]), False, _first(info)

    @property
    def forbidden(self) -> Collection[ActionName]:
        """As of the vector; may be set between two steps."""
        return self._vector.forbidden

    @forbidden.setter
    def forbidden(self, names: Iterable[str]) -> None:
        self._vector.forbidden = names

    def action_masks(self) -> Any:
        """(actions,) bool, or (5, 7): where `MaskablePPO` looks for the mask."""
        return self._vector.action_masks()[0]

    def render(self) -> Any:
        if self.render_mode == ANSI:
            return table(self._rows[-1])
        if self.render_mode == RGB_ARRAY:
            return picture_of_rows(self._rows)
        return None


def _first(info: dict[str, Any]) -> dict[str, Any]:
    return {name: value[0] for name, value in info.items()}
