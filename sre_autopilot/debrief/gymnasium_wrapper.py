"""Process rewards for whoever trains on the Gymnasium environment."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from sre_autopilot.debrief.replay import replay_actions
from sre_autopilot.debrief.report import TRUTH_FUTURES, advantages
from sre_autopilot.errors import InvalidValue
from sre_autopilot.history import row_layout as layout
from sre_autopilot.simulator import parameters
from sre_autopilot.world.vocabulary import Tier

PROCESS_REWARD = "process_reward"


class ProcessReward(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Adds `info["process_reward"]` at an episode's end: (steps,) float64, see
    `report.process_rewards`. It costs about a second an episode.

    Wraps `SREAutopilotEnv`; `tier` and `simulator_of` are those that it was made with. Each reset
    needs a seed, which the hidden faults follow from. Raises InvalidValue without one.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        tier: str,
        simulator_of: str = "process",
        *,
        futures: int = TRUTH_FUTURES,
    ) -> None:
        super().__init__(env)
        self._tier, self._futures = Tier(tier), futures
        self._parameters = parameters.load(simulator_of)
        self._seed, self._actions = 0, list[tuple[int, int]]()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if seed is None:
            raise InvalidValue("seed", seed, "a whole number at each reset, for process rewards")
        self._seed, self._actions = seed, []
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        row, reward, terminated, truncated, info = self.env.step(action)
        # What was played, as the observation has it: a forbidden action is played as a wait.
        self._actions.append(_played(row))
        if terminated or truncated:
            replayed = replay_actions(self._tier, self._seed, self._actions, self._parameters)
            info = {**info, PROCESS_REWARD: np.array(advantages(replayed, self._futures))}
        return row, reward, terminated, truncated, info


def _played(row: Sequence[float]) -> tuple[int, int]:
    return int(row[layout.ACTION_FEATURE]), int(row[layout.SERVICE_FEATURE])
