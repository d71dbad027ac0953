"""TRL: the class for `environment_factory` of its GRPOTrainer, and rows of a data set."""

from collections.abc import Callable, Sequence
from typing import Any

from sre_autopilot.adapters.rollout import TOOL_INSTRUCTIONS, BlockingRollout
from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.adapters.tools import SERVICE_HELP, SERVICE_ID, describe, needs_service
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, ActionName


class SREAutopilotTools:
    """One rollout; TRL makes as many as a batch has. Its public methods, one an action, are the
    tools: they give the text of the next window.

    base_url: a server's (by `functools.partial`); without it, the simulator in this process.
    """

    def __init__(self, base_url: str | None = None) -> None:
        self._rollout = BlockingRollout(base_url)

    def reset(self, task: str, **_columns: Any) -> str:
        """Begins the episode of that key; its first window, which TRL puts behind the prompt."""
        return f"\n{self._rollout.begin(Task.parse(task))}"

    def get_reward(self) -> float:
        return self._rollout.score

    @property
    def metrics(self) -> dict[str, float]:
        return self._rollout.metrics


def _tool(action: ActionName) -> Callable[..., str]:
    """A method with the type hints and the docstring that TRL makes a schema of."""

    def on_service(self: SREAutopilotTools, service_id: str) -> str:
        return self._rollout.call(action, {SERVICE_ID: service_id})

    def on_none(self: SREAutopilotTools) -> str:
        return self._rollout.call(action)

    method: Callable[..., str] = on_service if needs_service(action) else on_none
    arguments = f"\n\nArgs:\n    {SERVICE_ID}: {SERVICE_HELP}\n" if needs_service(action) else ""
    method.__name__ = method.__qualname__ = str(action)
    method.__doc__ = describe(action) + arguments
    del method.__annotations__["self"]  # TRL makes a parameter of whatever has a type
    return method


for _action in ActionName:
    setattr(SREAutopilotTools, _action, _tool(_action))


def metric_functions() -> list[Callable[..., list[float]]]:
    """Reward functions that TRL logs under the names of the metrics: give them a weight of 0."""
    return [_metric(name) for name in SREAutopilotTools().metrics]


def _metric(name: str) -> Callable[..., list[float]]:
    def of_each(environments: Sequence[SREAutopilotTools], **_columns: Any) -> list[float]:
        return [environment.metrics[name] for environment in environments]

    of_each.__name__ = name
    return of_each


def rows(split: str, seeds: int, tiers: Sequence[str] = DEFAULT_TIERS) -> list[dict[str, Any]]:
    """Rows for `datasets.Dataset.from_list`. Raises UnknownName, InvalidValue."""
    prompt = [{"role": "user", "content": TOOL_INSTRUCTIONS}]
    return [{"prompt": prompt, "task": task.key} for task in tasks_of(split, seeds, tiers)]
