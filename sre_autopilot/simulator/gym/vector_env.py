"""Many episodes at once, natively: what `gymnasium.make_vec` gives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from orchestrator.validation import parse_tier
from sre_autopilot.errors import UnknownName
from sre_autopilot.simulator import parameters
from sre_autopilot.simulator.batch import BEGIN, Lanes, Shown, seat
from sre_autopilot.simulator.gym.spaces import action_space, mask_of, observation_space
from sre_autopilot.simulator.numpy_engine import Reference
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier

COMPILED, NUMPY = "compiled", "numpy"
READINGS = (COMPILED, NUMPY)
STORIES = 4096
"""Episodes that are drawn ahead, at least one a lane; after the last come the first again."""


class SREAutopilotVectorEnv(VectorEnv[Any, Any, Any]):
    """`num_envs` on-call engineers at once, each with a mesh and a hidden fault of its own.

    ### Description
    The simulator of the world that `orchestrator.environment.Environment` plays for real: seven
    services, faults by tier, five actions. Equal seeds and actions give equal bytes, whatever the
    number of environments.

    ### Action Space
    `MultiDiscrete([5, 7])`: an action (restart, scale_up, circuit_break, rollback, wait) and the
    service that it is for, in the order of `ActionName` and `Service`. `wait` ignores the service.
    `info["action_mask"]` (num_envs, 5, 7) is 1 where the world would carry it out; what it refuses
    costs the step.

    ### Observation Space
    `Box(41,)`, float32: p99 latency (ms), error rate, CPU and memory (%), each of seven services,
    -1 where a value did not arrive; seven noisy SLA verdicts; step, restarts left, cost spent, last
    action, its service, and whether it was refused.

    ### Rewards
    0 until the last step, then the grader's score, 0.01 to 0.99.

    ### Starting State
    A fresh mesh with the fault of (tier, seed) installed; the first observation is a window of it.

    ### Episode End
    After 30 steps, or when every fault is cured and all SLAs were truly met for three windows.
    The step after that begins the next episode and gives its first observation
    (`AutoresetMode.NEXT_STEP`).

    ### Arguments
    num_envs: episodes side by side.
    tier: easy, medium, hard, control or expert.
    simulator_of: the real backend whose fitted parameters are taken.
    reading: "compiled" (Numba; the first one on a machine compiles for about ten seconds) or
        "numpy".

    Raises UnknownName for a tier, backend or reading that is not known.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's way
        "autoreset_mode": AutoresetMode.NEXT_STEP
    }

    def __init__(
        self,
        num_envs: int = 1,
        tier: str = Tier.EASY,
        simulator_of: str = "process",
        reading: str = COMPILED,
    ) -> None:
        self.num_envs = num_envs
        self.tier = parse_tier(tier)
        self.single_observation_space, self.single_action_space = (
            observation_space(),
            action_space(),
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._lanes = lanes_of(reading, simulator_of, num_envs)
        self._moves = np.full((num_envs, 2), BEGIN, np.int64)

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """`seed`: of the first environment, whose neighbours take those that follow; or one each.

        The k-th episode of an environment has its seed plus k times `num_envs`.
        """
        super().reset(seed=seed if isinstance(seed, int) else None)
        if seed is None:
            split = SEED_SPLITS["train"]
            seed = int(self.np_random.integers(split.start, split.stop))
        first = np.arange(self.num_envs) + seed if isinstance(seed, int) else np.asarray(seed)
        rounds = max(1, STORIES // self.num_envs)
        seeds = first + self.num_envs * np.arange(rounds)[:, None]
        self._seat = seat(self.tier, [int(s) for s in seeds.ravel()], self.num_envs)
        self._moves[:] = BEGIN
        shown = self._lanes.step(self._moves, self._seat)
        return shown.rows, _info(shown)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """`actions` (num_envs, 2). Terminated is true at the end of an episode, truncated never."""
        self._moves[:] = actions
        shown = self._lanes.step(self._moves, self._seat)
        done = shown.rewards > 0.0
        return shown.rows, shown.rewards, done, np.zeros_like(done), _info(shown)


def _info(shown: Shown) -> dict[str, Any]:
    return {"action_mask": mask_of(shown.masks)}


def lanes_of(reading: str, simulator_of: str, lanes: int) -> Lanes:
    """Raises UnknownName."""
    fitted = parameters.load(simulator_of)
    if reading == NUMPY:
        return Reference(fitted, lanes)
    if reading == COMPILED:
        from sre_autopilot.simulator.numba_engine.engine import Kernel  # noqa: PLC0415 - it is slow

        return Kernel(fitted, lanes)
    raise UnknownName("reading", reading, READINGS)
