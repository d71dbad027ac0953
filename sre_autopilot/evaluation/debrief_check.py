"""Whether what a debrief calls better is better on a real mesh: the same seed, played both ways."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.environment import Environment
from sre_autopilot import grading
from sre_autopilot.debrief.replay import actions_of
from sre_autopilot.debrief.report import debrief
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.models import SREAction
from sre_autopilot.policies import brief, load_policy


@dataclass(frozen=True, slots=True)
class Suggestion:
    """At `step` of `record`, `better` instead of `taken`; `gain` is expected, in points."""

    record: EpisodeRecord
    step: int
    taken: SREAction
    better: SREAction
    adviser: str
    gain: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A suggestion, and both scores on the mesh."""

    suggestion: Suggestion
    score_of_taken: float
    score_of_better: float

    @property
    def holds(self) -> bool:
        return self.score_of_better > self.score_of_taken


def suggestions(records: Iterable[EpisodeRecord], count: int) -> list[Suggestion]:
    """The largest regrets by sight, `count` at most, and one of each record."""
    largest = [each for record in records for each in _largest(record)]
    return sorted(largest, key=lambda each: -each.gain)[:count]


def _largest(record: EpisodeRecord) -> Iterator[Suggestion]:
    made = debrief(record)
    step = max(made.steps, key=lambda each: each.sighted.regret.mean)
    gain, better = step.sighted.regret.mean, step.sighted.best_action
    if gain > 0.0:
        yield Suggestion(record, step.step, step.taken, better, made.adviser, gain)


def check(environment: Environment, suggestion: Suggestion) -> Outcome:
    """Plays both ways, one after the other."""
    scores = [
        _play(environment, suggestion, action) for action in (suggestion.taken, suggestion.better)
    ]
    return Outcome(suggestion, *scores)


def _play(environment: Environment, suggestion: Suggestion, action: SREAction) -> float:
    """The record's actions up to the step, then `action`, then what the adviser does."""
    record, policy = suggestion.record, load_policy(suggestion.adviser)
    before = list(actions_of(record)[: suggestion.step - 1])
    observation = environment.reset(
        seed=record.seed, task_tier=record.tier, episode_key=record.episode_key
    )
    brief(policy, record.seed)
    ordered = [*before, action]
    while not observation.done:
        advised = policy.act(observation)
        observation = environment.step(ordered.pop(0) if ordered else advised)
    return grading.grade(environment.hidden_state()).total
