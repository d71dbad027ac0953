"""The score as a rubric of OpenEnv: its four terms are children that can be read by name."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from server.openenv_compat import without_gradio
from sre_autopilot.grading.score import LOWEST, SPAN, WEIGHTS, Score

with without_gradio():
    from openenv.core.rubrics.base import Rubric
    from openenv.core.rubrics.trajectory import TrajectoryRubric

Trajectory = Sequence[tuple[Any, Any]]


class TermRubric(Rubric):
    """One term of the score, 0..1; 0.0 until the episode is over."""

    def __init__(self, term: str, score: Callable[[], Score | None]) -> None:
        super().__init__()
        self._term, self._score = term, score

    def forward(self, action: Any, observation: Any) -> float:
        score = self._score()
        return 0.0 if score is None else float(getattr(score, self._term))


class ScoreRubric(TrajectoryRubric):
    """0.0 until the last step, then the score of the episode, from its terms and their weights.

    score: gives the grader's score of the episode, None while it runs: with `make_env()`,
        `lambda: env.episode.score`.
    """

    def __init__(self, score: Callable[[], Score | None]) -> None:
        super().__init__()
        for term in WEIGHTS:
            setattr(self, term, TermRubric(term, score))

    def score_trajectory(self, trajectory: Trajectory) -> float:
        terms = self.named_children()
        weighed: Iterator[float] = (WEIGHTS[name] * child(*trajectory[-1]) for name, child in terms)
        return LOWEST + SPAN * min(1.0, sum(weighed))

    def compute_step_rewards(self) -> list[float]:
        """All of it at the last step, so that their sum is the score."""
        steps = self.trajectory
        return [0.0] * (len(steps) - 1) + [self.score_trajectory(steps)] if steps else []
