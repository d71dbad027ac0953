"""The rubric of OpenEnv: four terms by name, and a trajectory's score from them."""

import pytest

from sre_autopilot import make_env
from sre_autopilot.adapters.tasks import Task
from sre_autopilot.grading.score import WEIGHTS
from sre_autopilot.world.vocabulary import ActionName
from tests.sre_autopilot.adapters import engineer


@pytest.fixture
def score_rubric():
    from sre_autopilot.adapters.openenv import ScoreRubric  # noqa: PLC0415 - takes a second

    return ScoreRubric


def test_the_rubric_gives_the_grader_s_score_and_each_of_its_terms(score_rubric):
    task = Task.parse(engineer.KEY)
    with make_env() as env:
        rubric = score_rubric(lambda: env.episode.score)
        observation = env.reset(seed=task.seed, task_tier=task.tier)
        rewards, action = [], {"action": ActionName.WAIT}
        while not observation.done:
            observation = env.step(action)
            rewards.append(rubric(action, observation))
        score = env.episode.score
    assert score is not None
    assert rewards[:-1] == [0.0] * (len(rewards) - 1)
    assert rewards[-1] == pytest.approx(score.total) == pytest.approx(observation.reward)
    assert rubric.compute_step_rewards() == rewards
    terms = {name: child.last_score for name, child in rubric.named_rubrics()}
    assert terms == {name: getattr(score, name) for name in WEIGHTS}


def test_a_reset_forgets_the_trajectory(score_rubric):
    rubric = score_rubric(lambda: None)
    assert rubric({}, object()) == 0.0 and len(rubric.trajectory) == 1
    rubric.reset()
    assert rubric.compute_step_rewards() == []
