"""verifiers: its loader finds the taskset, and the environment plays a task turn by turn."""

import asyncio
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

pytest.importorskip("verifiers.v1", reason="an environment of its own has verifiers")

from verifiers.v1.utils.loaders import environment_class, load_taskset, taskset_config_type

from sre_autopilot.adapters.verifiers import SREAutopilotEnv
from sre_autopilot.grading.score import LOWEST
from tests.sre_autopilot.adapters import engineer, page

NAME = "sre_taskset"


@pytest.fixture
def taskset(tmp_path, monkeypatch):
    """As the page says: a module of the reader's own, found by its name."""
    (tmp_path / f"{NAME}.py").write_text(page.saved(f"{NAME}.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    config = taskset_config_type(NAME)(id=NAME, seeds=4, tiers=("easy",))
    yield load_taskset(config)
    sys.modules.pop(NAME, None)


class Interaction:
    """The side of an agent: it hears windows and answers as the scripted engineer does."""

    def __init__(self, turns=100):
        self.turns, self.windows = turns, list[str]()
        self.rewards, self.metrics = dict[str, float](), dict[str, float]()
        self.trace = SimpleNamespace(
            record_reward=self.rewards.__setitem__, record_metrics=self.metrics.update
        )

    async def turn(self, window):
        scripted = engineer.FIRST_ANSWERS[len(self.windows) : len(self.windows) + 1]
        self.windows.append(window)
        reply = scripted[0] if scripted else engineer.answer(window)
        return SimpleNamespace(terminated=len(self.windows) >= self.turns, last_reply=reply)


def play(task, interaction):
    @asynccontextmanager
    async def opened(_task):
        yield interaction

    agents = SimpleNamespace(engineer=SimpleNamespace(interaction=opened))
    asyncio.run(object.__new__(SREAutopilotEnv).run(task, agents))


def test_the_module_of_the_page_is_loaded_with_its_environment(taskset):
    assert environment_class(NAME).__name__ == SREAutopilotEnv.__name__
    tasks = [*taskset]
    assert tasks[3].key == engineer.KEY and len({task.key for task in tasks}) == 4
    assert "Mend the cause" in tasks[0].data.system_prompt
    assert [task.key for task in taskset.include(keys=[engineer.KEY])] == [engineer.KEY]


def test_an_episode_is_played_and_its_score_recorded_with_the_metrics(taskset):
    interaction = Interaction()
    play([*taskset][3], interaction)
    engineer.check(interaction.metrics)
    assert interaction.rewards == {"score": interaction.metrics["score"]}
    assert "step 0/" in interaction.windows[0] and "read as" in interaction.windows[1]


def test_an_agent_that_ends_early_scores_the_least(taskset):
    interaction = Interaction(turns=2)
    play(next(iter(taskset)), interaction)
    assert interaction.rewards == {"score": LOWEST} and len(interaction.windows) == 2
