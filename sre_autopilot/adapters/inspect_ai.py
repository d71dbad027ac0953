"""Inspect AI: a task whose solver plays an episode a sample, and scores with its terms."""

from collections.abc import Sequence

from inspect_ai import Task as InspectTask
from inspect_ai import task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from sre_autopilot.adapters.rollout import INSTRUCTIONS, Rollout
from sre_autopilot.adapters.tasks import Task, tasks_of
from sre_autopilot.world.vocabulary import DEFAULT_TIERS

METRICS = "metrics"


@task
def sre_autopilot(
    split: str = "test",
    seeds: int = 10,
    tiers: str | Sequence[str] = DEFAULT_TIERS,
    base_url: str | None = None,
) -> InspectTask:
    """`seeds` episodes of each tier (a list, or names with commas between).

    base_url: a server's; without it, the simulator in this process.

    Raises UnknownName, InvalidValue.
    """
    names = tiers.split(",") if isinstance(tiers, str) else tiers
    samples = [
        Sample(input=one.key, id=one.key, metadata={"tier": one.tier, "split": one.split})
        for one in tasks_of(split, seeds, names)
    ]
    return InspectTask(dataset=samples, solver=play(base_url), scorer=episode_score())


@solver
def play(base_url: str | None = None) -> Solver:
    """A conversation: a window of the episode, the model's answer, and so on to its end."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        rollout = Rollout(base_url)
        try:
            window = await rollout.begin(Task.parse(state.input_text))
            state.messages = [ChatMessageSystem(content=INSTRUCTIONS)]
            while not rollout.done:
                state.messages.append(ChatMessageUser(content=window))
                state = await generate(state)
                window = await rollout.answer(state.output.completion)
        finally:
            state.store.set(METRICS, rollout.metrics)
            await rollout.close()
        return state

    return solve


@scorer(metrics={"*": [mean(), stderr()]})
def episode_score() -> Scorer:
    """The score of the episode, its terms and what was done, each averaged over the samples."""

    async def score(state: TaskState, _target: Target) -> Score:
        return Score(value=state.store.get(METRICS))

    return score
