"""One episode at a time: what `gymnasium.make` gives. A vector of one, and pictures of it."""

from typing import Any

import gymnasium
import numpy as np

from sre_autopilot.simulator.gym.spaces import action_space, observation_space
from sre_autopilot.simulator.gym.vector_env import NUMPY, SREAutopilotVectorEnv
from sre_autopilot.simulator.rules import features as presented
from sre_autopilot.simulator.rules.window_arrays import METRICS
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import MAX_STEPS, Tier

ANSI, RGB_ARRAY = "ansi", "rgb_array"
CELL_PX = 16
MET, BROKEN, NOT_YET = (60, 140, 80), (190, 60, 50), (235, 235, 235)


class SREAutopilotEnv(gymnasium.Env[Any, Any]):
    """One on-call engineer: as `SREAutopilotVectorEnv`, one episode at a time.

    ### Rendering
    `ansi`: a table of what the agent sees. `rgb_array`: a row a service, a column a step, green
    where the verdict is that the SLA is met.

    ### Arguments
    As for the vector; `reading` is "numpy" by default, which needs no compiler.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's way
        "render_modes": [ANSI, RGB_ARRAY],
        "render_fps": 4,
    }

    def __init__(
        self,
        tier: str = Tier.EASY,
        simulator_of: str = "process",
        reading: str = NUMPY,
        *,
        render_mode: str | None = None,
    ) -> None:
        self._vector = SREAutopilotVectorEnv(1, tier, simulator_of, reading)
        self.observation_space, self.action_space = observation_space(), action_space()
        self.render_mode = render_mode
        self._seen: list[Any] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Without a seed, the next one of the environment's own generator."""
        super().reset(seed=seed)
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        rows, info = self._vector.reset(seed=seed)
        self._seen = [rows[0]]
        return rows[0], _only(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        rows, rewards, done, _, info = self._vector.step(np.asarray(action)[None])
        self._seen.append(rows[0])
        return rows[0], float(rewards[0]), bool(done[0]), False, _only(info)

    def render(self) -> Any:
        if self.render_mode == ANSI:
            return table(self._seen[-1])
        if self.render_mode == RGB_ARRAY:
            return picture(self._seen)
        return None


def table(row: Any) -> str:
    """What one observation says, a line a service; "?" where a value did not arrive."""
    lines = [f"step {row[presented.STEP]:.0f}  restarts left {row[presented.RESTARTS_LEFT]:.0f}"]
    metrics = row[:METRICS].reshape(-1, len(Service)).T
    for service, values, met in zip(Service, metrics, row[presented.VERDICTS :], strict=False):
        told = ["?" if v == presented.MISSING else f"{v:.4g}" for v in values]
        cells = "  ".join(f"{text:>8}" for text in told)
        lines.append(f"{'ok ' if met else 'SLA'} {service:<16} {cells}  p99 ms, errors, CPU, mem %")
    return "\n".join(lines)


def picture(seen: list[Any]) -> Any:
    """(services * CELL_PX, steps * CELL_PX, 3), uint8."""
    cells = np.full((len(Service), MAX_STEPS + 1, 3), NOT_YET, np.uint8)
    for step, row in enumerate(seen[: MAX_STEPS + 1]):
        met = row[presented.VERDICTS : presented.VERDICTS + len(Service), None] > 0
        cells[:, step] = np.where(met, MET, BROKEN)
    return cells.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)


def _only(info: dict[str, Any]) -> dict[str, Any]:
    return {name: value[0] for name, value in info.items()}
