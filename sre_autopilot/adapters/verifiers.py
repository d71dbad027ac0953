"""verifiers (and prime-rl): a taskset, and the environment that plays its tasks.

A user turn is a window, an assistant turn an answer.
"""

from collections.abc import Iterator

import verifiers.v1 as vf

from sre_autopilot.adapters.rollout import INSTRUCTIONS, Rollout
from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.world.vocabulary import DEFAULT_TIERS

__all__ = ["SREAutopilotEnv", "SREAutopilotTaskset"]


class SREAutopilotData(vf.TaskData):
    base_url: str | None = None


class SREAutopilotTask(vf.Task[SREAutopilotData]):
    @property
    def key(self) -> str:
        """That of the episode, such as hard-17."""
        return str(self.data.name)


class SREAutopilotConfig(vf.TasksetConfig):
    split: str = "train"
    seeds: int = 1000
    """Of the split, each on every tier."""
    tiers: tuple[str, ...] = DEFAULT_TIERS
    base_url: str | None = None
    """A server's; without it, the simulator in the process of the environment."""


class SREAutopilotTaskset(vf.Taskset[SREAutopilotTask, SREAutopilotConfig]):
    def load(self) -> Iterator[SREAutopilotTask]:
        config = self.config
        for task in tasks_of(config.split, config.seeds, config.tiers):
            data = SREAutopilotData(
                id=task.key, name=task.key, system_prompt=INSTRUCTIONS, base_url=config.base_url
            )
            yield SREAutopilotTask(data, config.task)


class SREAutopilotEnvConfig(vf.EnvConfig):
    engineer: vf.AgentConfig = vf.AgentConfig(harness={"id": "null"})
    """It talks and runs no code."""


class SREAutopilotEnv(vf.Env[SREAutopilotEnvConfig]):
    async def run(self, task: SREAutopilotTask, agents: vf.Agents) -> None:
        rollout = Rollout(task.data.base_url)
        try:
            window = await rollout.begin(Task.parse(task.key))
            async with agents.engineer.interaction(task) as interaction:
                while not rollout.done:
                    segment = await interaction.turn(window)
                    if segment.terminated:
                        break
                    window = await rollout.answer(segment.last_reply)
        finally:
            await rollout.close()
        interaction.trace.record_reward("score", rollout.score)
        interaction.trace.record_metrics(rollout.metrics)
