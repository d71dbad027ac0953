"""Wrappers that put the features of `sre_autopilot.history` in the place of observations."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space

from sre_autopilot.errors import InvalidValue
from sre_autopilot.history import row_layout
from sre_autopilot.history.features import advance, blank_features, history_count

LARGEST = 64.0
"""Above any feature; a Box needs a bound."""
WIDTHS = (row_layout.FEATURE_COUNT, row_layout.FEATURE_COUNT + row_layout.SPAN_COUNT)


class HistoryWrapper(gymnasium.ObservationWrapper[Any, Any, Any], RecordConstructorArgs):
    """For `gymnasium.make`: `Box(437,)`, or 21 more with `trace_edges`, in place of `Box(41,)`."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Raises InvalidValue where observations are not rows of this project's environment."""
        RecordConstructorArgs.__init__(self)  # Gymnasium's way to make an environment again
        gymnasium.ObservationWrapper.__init__(self, env)
        self.observation_space = history_space(env.observation_space)
        self._features = np.zeros((1, *self.observation_space.shape), np.float32)

    def observation(self, observation: Any) -> Any:
        self._features = advance(self._features, observation[None])
        return self._features[0].copy()


class HistoryVectorWrapper(VectorWrapper[Any, Any, Any, Any, Any]):
    """The same for `gymnasium.make_vec`; `info["final_obs"]` holds features too."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        """Raises InvalidValue where observations are not rows of this project's environment."""
        super().__init__(env)
        self.single_observation_space = space = history_space(env.single_observation_space)
        self.observation_space = batch_space(space, env.num_envs)
        self._features = np.zeros((env.num_envs, *space.shape), np.float32)

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Lanes that a staggered reset leaves within an episode begin with what is at hand."""
        rows, info = self.env.reset(**arguments)
        self._features = advance(blank_features(rows), rows)
        return self._features.copy(), info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        rows, rewards, terminated, truncated, info = self.env.step(actions)
        if "final_obs" in info:
            info["final_obs"] = self._final(info["final_obs"], info["_final_obs"])
        self._features = advance(self._features, rows)
        return self._features.copy(), rewards, terminated, truncated, info

    def _final(self, rows: Any, flags: Any) -> Any:
        ended = np.flatnonzero(flags)
        features = advance(self._features[ended], np.stack(rows[ended]))
        final = np.full(len(rows), None, object)
        for lane, of_lane in zip(ended, features, strict=True):
            final[lane] = of_lane
        return final


def history_space(space: Any) -> spaces.Box:
    """That of the features of rows of `space`. Raises InvalidValue."""
    if not isinstance(space, spaces.Box) or space.shape not in [(width,) for width in WIDTHS]:
        expected = f"a Box of {' or '.join(map(str, WIDTHS))} numbers"
        raise InvalidValue("observation_space", space, expected)
    count = history_count(trace_edges=space.shape == (WIDTHS[1],))
    return spaces.Box(-LARGEST, LARGEST, (count,), np.float32)
