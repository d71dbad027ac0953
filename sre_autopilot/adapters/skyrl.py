"""SkyRL: a text environment, registered with skyrl_gym and named in `env_class` of each row."""

from collections.abc import Mapping, Sequence
from typing import Any

from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

from sre_autopilot.adapters.rollout import INSTRUCTIONS, BlockingRollout
from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, MAX_STEPS

Messages = list[dict[str, str]]
NAME = "sre_autopilot"
"""For `skyrl_gym.register(NAME, ENTRY_POINT)`, in each process that plays."""
ENTRY_POINT = f"{__name__}:SREAutopilotTextEnv"


class SREAutopilotTextEnv(BaseTextEnv):
    """One episode; the reward is 0 until its end, then the score.

    env_config: `base_url` is a server's; without it, the simulator in this process.
    extras: the row of the data set; `task` is the key of the episode.
    """

    def __init__(
        self, env_config: Mapping[str, Any] | None = None, extras: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._task = Task.parse(str((extras or {}).get("task")))
        self._rollout = BlockingRollout((env_config or {}).get("base_url"))
        self.max_turns = MAX_STEPS

    def init(self, prompt: Messages) -> tuple[Messages, dict[str, Any]]:
        window = self._rollout.begin(self._task)
        return [*prompt, {"role": "user", "content": window}], {"task": self._task.key}

    def step(self, action: str) -> BaseTextEnvStepOutput:
        self.turns += 1
        text = self._rollout.answer(action)
        done = self._rollout.done
        return BaseTextEnvStepOutput(
            observations=[] if done else [{"role": "user", "content": text}],
            reward=self._rollout.score if done else 0.0,
            done=done,
            metadata={"task": self._task.key},
        )

    def close(self) -> None:
        self._rollout.close()

    def get_metrics(self) -> dict[str, float]:
        return self._rollout.metrics


def rows(split: str, seeds: int, tiers: Sequence[str] = DEFAULT_TIERS) -> list[dict[str, Any]]:
    """Rows of a data set for SkyRL. Raises UnknownName, InvalidValue."""
    return [
        {
            "data_source": NAME,
            "prompt": [{"role": "system", "content": INSTRUCTIONS}],
            "env_class": NAME,
            "reward_spec": {"method": "rule", "ground_truth": ""},
            "task": task.key,
        }
        for task in tasks_of(split, seeds, tiers)
    ]
