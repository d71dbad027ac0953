"""Many episodes at once, natively: what `gymnasium.make_vec` gives."""

from collections.abc import Iterable, Sequence
from operator import index
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from orchestrator.validation import MAX_SEED, parse_tier
from sre_autopilot.errors import InvalidValue
from sre_autopilot.simulator.batch import EpisodeQueue, StepOutput
from sre_autopilot.simulator.engines import make_engine
from sre_autopilot.simulator.gym.spaces import action_space, mask_of, observation_space
from sre_autopilot.world.vocabulary import SEED_SPLITS, Tier


class SREAutopilotVectorEnv(VectorEnv[Any, Any, Any]):
    """`num_envs` incidents at once, each with a mesh and a hidden fault of its own.

    ### Description
    The simulator of the world that `orchestrator.environment.Environment` plays for real: seven
    services, faults by tier, five actions. Equal seeds and actions give equal bytes, whatever the
    number of environments and the engine.

    ### Action Space
    `MultiDiscrete([5, 7])`: an action (restart, scale_up, circuit_break, rollback, wait) and the
    service that it is for, in the order of `ActionName` and `Service`. `wait` ignores the service.
    `info["action_mask"]` (num_envs, 5, 7) is 1 where the action would be accepted; a refused one
    changes nothing, but takes the step.

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

    ### Seeding
    `reset(seed=s)` gives environment i the seed s + i; `reset(seed=[...])` names one for each;
    `reset()` draws s from the training seeds (`SEED_SPLITS`). The k-th episode of an environment
    after its reset has that seed plus k * num_envs, so no seed comes twice.

    ### Arguments
    num_envs: episodes side by side.
    tier: easy, medium, hard, control or expert.
    simulator_of: the real backend whose fitted parameters are taken.
    engine: "numba" (the first one on a machine compiles for about ten seconds), "numpy" (a tenth
        as fast, the same bits), or None: Numba where it is installed, else NumPy with a warning.

    Raises UnknownName for an unknown tier, backend or engine, InvalidValue for other bad values.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - Gymnasium's way
        "autoreset_mode": AutoresetMode.NEXT_STEP
    }

    def __init__(
        self,
        num_envs: int = 1,
        tier: str = Tier.EASY,
        simulator_of: str = "process",
        engine: str | None = None,
    ) -> None:
        if num_envs < 1:
            raise InvalidValue("num_envs", num_envs, "a whole number from 1")
        self.num_envs = num_envs
        self.tier = parse_tier(tier)
        self.single_observation_space = observation_space()
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._engine = make_engine(engine, simulator_of, num_envs)
        self._actions = np.zeros((num_envs, 2), np.int64)
        self._queue: EpisodeQueue | None = None

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begins a new episode in every environment; see Seeding. Raises InvalidValue."""
        seeds = None if seed is None else self._first_seeds(seed)
        super().reset(seed=int(seed) if isinstance(seed, int | np.integer) else None)
        if seeds is None:
            split = SEED_SPLITS["train"]
            seeds = self._first_seeds(int(self.np_random.integers(split.start, split.stop)))
        self._queue = EpisodeQueue(self.tier, seeds, self.num_envs)
        out = self._engine.begin(self._queue)
        return out.features, _info(out)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """`actions` (num_envs, 2). `terminated` is true at an episode's end, `truncated` never.

        Raises InvalidValue for an action out of range, or before the first reset.
        """
        if self._queue is None:
            raise InvalidValue("step", "before reset", "called after reset")
        self._actions[:] = self._whole(actions)
        out = self._engine.step(self._actions, self._queue)
        return out.features, out.rewards, out.done, np.zeros(self.num_envs, np.bool_), _info(out)

    def _first_seeds(self, seed: int | Sequence[int]) -> list[int]:
        """One for each environment."""
        try:
            if isinstance(seed, Iterable):
                seeds = [index(each) for each in seed]
            else:
                seeds = [index(seed) + number for number in range(self.num_envs)]
        except TypeError:
            seeds = []
        if len(seeds) != self.num_envs or not all(0 <= each <= MAX_SEED for each in seeds):
            expected = f"a whole number from 0 to {MAX_SEED}, or {self.num_envs} of them"
            raise InvalidValue("seed", seed, expected)
        return seeds

    def _whole(self, actions: Any) -> Any:
        """(num_envs, 2) whole numbers; whether they are in range, the engine checks."""
        numbers = np.asarray(actions)
        if numbers.shape != self._actions.shape or numbers.dtype.kind not in "iu":
            expected = f"{self.num_envs} pairs of whole numbers, an action and its service"
            raise InvalidValue("actions", actions, expected)
        return numbers


def _info(out: StepOutput) -> dict[str, Any]:
    return {"action_mask": mask_of(out.action_masks)}
