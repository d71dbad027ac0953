"""verl: one tool for its agent loop `tool_agent`, and rows of a data set.

The loop makes and releases a tool's instance for each call; what lasts as long as a rollout is its
`agent_data`, so the episode is kept under that.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from verl.tools.base_tool import BaseTool
from verl.tools.schemas import OpenAIFunctionToolSchema, ToolResponse

from sre_autopilot.adapters.rollout import EpisodeOver, Rollout, first_messages
from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.adapters.tools import SERVICE_HELP, SERVICE_ID
from sre_autopilot.grading.score import LOWEST
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, ActionName

NAME = "act"
SOURCE, METRICS = "sre_autopilot", "sre_autopilot_metrics"


class SREAutopilotTool(BaseTool):
    """Plays one action a call. The reward is 0 until the last step, then the score.

    config: `base_url` is a server's; without it, the simulator in this process.
    """

    def __init__(
        self, config: dict[str, Any], tool_schema: OpenAIFunctionToolSchema | None = None
    ) -> None:
        super().__init__(config, tool_schema or self.get_openai_tool_schema())
        self._tasks: dict[str, Task] = {}
        self._rollouts: WeakKeyDictionary[Any, Rollout] = WeakKeyDictionary()

    def get_openai_tool_schema(self) -> OpenAIFunctionToolSchema:
        properties = {
            "action": {"type": "string", "enum": [*ActionName]},
            SERVICE_ID: {"type": "string", "description": f"{SERVICE_HELP}; none to wait"},
        }
        parameters = {"type": "object", "properties": properties, "required": ["action"]}
        function = {"name": NAME, "description": "Plays one action.", "parameters": parameters}
        return OpenAIFunctionToolSchema.model_validate({"type": "function", "function": function})

    async def create(
        self, instance_id: str | None = None, **kwargs: Any
    ) -> tuple[str, ToolResponse]:
        """`create_kwargs` of a row names the `task`. Raises UnknownName, InvalidValue."""
        instance_id, response = await super().create(instance_id)
        columns = kwargs.get("create_kwargs", kwargs)
        self._tasks[instance_id] = Task.parse(str(columns.get("task")))
        return instance_id, response

    async def execute(
        self, instance_id: str, parameters: dict[str, Any], **kwargs: Any
    ) -> tuple[ToolResponse, float, dict[str, float]]:
        """The next window, the reward of the step and the metrics of the episode.

        `agent_data` is the rollout's, whose `extra_fields` get the metrics, for `compute_score`.
        """
        agent_data = kwargs["agent_data"]
        rollout = await self._rollout_of(agent_data, self._tasks[instance_id])
        if rollout.done:
            return ToolResponse(text=str(EpisodeOver())), 0.0, rollout.metrics
        text = await rollout.call(**_call(parameters))
        agent_data.extra_fields[METRICS] = rollout.metrics
        if rollout.done:
            await rollout.close()
        return ToolResponse(text=text), rollout.score if rollout.done else 0.0, rollout.metrics

    async def release(self, instance_id: str, **kwargs: Any) -> None:
        """A server ends the session of an episode that was left, at the end of its lease."""
        self._tasks.pop(instance_id, None)

    async def _rollout_of(self, agent_data: Any, task: Task) -> Rollout:
        rollout = self._rollouts.get(agent_data)
        if rollout is None:
            rollout = self._rollouts[agent_data] = Rollout(self.config.get("base_url"))
            await rollout.begin(task)
        return rollout


def _call(parameters: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `Rollout.call`; other fields than an action's are refused there."""
    arguments = {name: value for name, value in parameters.items() if name != "action"}
    return {"tool": str(parameters.get("action")), "arguments": arguments}


def compute_score(extra_info: dict[str, Any], **_columns: Any) -> dict[str, float]:
    """The score and the metrics of a rollout's episode, for verl's `custom_reward_function`."""
    metrics: dict[str, float] = extra_info.get(METRICS, {})
    return {"score": LOWEST, **metrics}


def rows(
    split: str, seeds: int, tiers: Sequence[str] = DEFAULT_TIERS, base_url: str | None = None
) -> list[dict[str, Any]]:
    """Rows of a parquet file; their prompts hold the first windows, so each episode is begun once.

    Raises UnknownName, InvalidValue, ConnectionError.
    """
    return [
        {
            "data_source": SOURCE,
            "agent_name": "tool_agent",
            "prompt": first_messages(task, base_url),
            "reward_model": {"style": "rule", "ground_truth": ""},
            "extra_info": {
                "split": task.split,
                "task": task.key,
                "need_tools_kwargs": True,
                "tools_kwargs": {NAME: {"create_kwargs": {"task": task.key}}},
            },
        }
        for task in tasks_of(split, seeds, tiers)
    ]
