"""One episode at a time: what `gymnasium.make` gives. A vector of one, and pictures of it."""

from typing import Any

import gymnasium
import numpy as np

from sre_autopilot.simulator.engines import NUMPY
from sre_autopilot.simulator.gym.spaces import action_space, observation_space
from sre_autopilot.simulator.gym.vector_env import SREAutopilotVectorEnv
from sre_autopilot.simulator.rules import features
from sre_autopilot.simulator.rules.window_arrays import METRIC_COUNT, SERVICE_COUNT
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier

ANSI, RGB_ARRAY = "ansi", "rgb_array"
CELL_PX = 16
MET_COLOR, VIOLATED_COLOR, EMPTY_COLOR = (60, 140, 80), (190, 60, 50), (235, 235, 235)


class SREAutopilotEnv(gymnasium.Env[Any, Any]):
    """One incident: spaces, rewards and ends as of `SREAutopilotVectorEnv`, for one episode.

    ### Rendering
    `ansi`: a table of what the agent observes. `rgb_array`: a row a service, a column a step, green
    where the verdict is that the SLA is met.

    ### Arguments
    As for the vector; `engine` is "numpy" by default, which for one episode loses little and needs
    no compiler.
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
    ) -> None:
        self._vector = SREAutopilotVectorEnv(1, tier, simulator_of, engine)
        self.observation_space, self.action_space = observation_space(), action_space()
        self.render_mode = render_mode
        self._rows: list[Any] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """The episode of `seed`; without one, of a seed from the environment's own generator."""
        super().reset(seed=seed)
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        rows, info = self._vector.reset(seed=seed)
        self._rows = [rows[0]]
        return rows[0], _first(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        rows, rewards, done, _, info = self._vector.step(np.asarray(action)[None])
        self._rows.append(rows[0])
        return rows[0], float(rewards[0]), bool(done[0]), False, _first(info)

    def render(self) -> Any:
        if self.render_mode == ANSI:
            return table(self._rows[-1])
        if self.render_mode == RGB_ARRAY:
            return picture(self._rows)
        return None


def table(row: Any) -> str:
    """One observation as text, a line a service; "?" where a value did not arrive."""
    step, restarts_left = row[features.STEP_FEATURE], row[features.RESTARTS_LEFT_FEATURE]
    lines = [f"step {step:.0f}  restarts left {restarts_left:.0f}"]
    metrics = row[:METRIC_COUNT].reshape(-1, SERVICE_COUNT).T
    verdicts = row[features.VERDICT_FEATURES :][:SERVICE_COUNT]
    for service, values, met in zip(Service, metrics, verdicts, strict=True):
        texts = ["?" if value == features.MISSING else f"{value:.4g}" for value in values]
        cells = "  ".join(f"{text:>8}" for text in texts)
        lines.append(f"{'ok ' if met else 'SLA'} {service:<16} {cells}  p99 ms, errors, CPU, mem %")
    return "\n".join(lines)


def picture(rows: list[Any]) -> Any:
    """(services * CELL_PX, (MAX_STEPS + 1) * CELL_PX, 3), uint8."""
    cells = np.full((SERVICE_COUNT, MAX_STEPS + 1, 3), EMPTY_COLOR, np.uint8)
    for step, row in enumerate(rows[: MAX_STEPS + 1]):
        met = row[features.VERDICT_FEATURES :][:SERVICE_COUNT, None] > 0
        cells[:, step] = np.where(met, MET_COLOR, VIOLATED_COLOR)
    return cells.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)


def _first(info: dict[str, Any]) -> dict[str, Any]:
    return {name: value[0] for name, value in info.items()}
