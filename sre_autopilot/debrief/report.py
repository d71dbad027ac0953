"""The debrief of one recorded episode, as values that can be written down."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sre_autopilot import grading
from sre_autopilot.debrief.ledger import Judged, standard_error
from sre_autopilot.debrief.replay import Replay, actions_of, replay
from sre_autopilot.debrief.sighted_player import Adviser, action_of
from sre_autopilot.debrief.values import (
    choice_numbers,
    choice_pairs,
    judge_by_sight,
    judge_by_truth,
)
from sre_autopilot.grading import EpisodeRecord
from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.models import SREAction
from sre_autopilot.policies import Policy, load_policy
from sre_autopilot.world.vocabulary import Tier

CONTINUATION = "belief"
"""The best known policy that reads observations alone and can be forked."""
TRUTH_FUTURES, SIGHTED_FUTURES = 8, 4
"""Futures of each action with the truth known, and as the adviser goes on: those cost more."""
FEWEST_FUTURES = 2
"""A standard error needs as many."""
EXACT = 1e-9


class Estimate(Frozen):
    """Points of score: a mean over futures, and its standard error."""

    mean: float
    standard_error: float


class StepView(Frozen):
    """One step in one of the two views. `value` is that of `best_action`."""

    value: Estimate
    value_of_taken: Estimate
    best_action: SREAction
    regret: Estimate
    advantage: Estimate
    luck: Estimate


class StepDebrief(Frozen):
    """What was done at a step, and what it was worth; see `docs/debrief.md`.

    `regret` of `truth` is `knowable` + `not_knowable`: the first part would not have been lost by
    the adviser, who observed the same.
    """

    step: int
    taken: SREAction
    advised: SREAction
    sighted: StepView
    truth: StepView
    knowable: float
    not_knowable: float


class Ledger(Frozen):
    """replayed score = start - regrets + luck, up to rounding."""

    start: Estimate
    regrets: Estimate
    luck: Estimate


class Debrief(Frozen):
    """score = sighted.start - sighted.regrets + sighted.luck + gap, and the same for `truth`.

    `gap`: score of the record less that of its replay; 0 where the record is the simulator's own.
    `policy` played; `adviser` is who goes on in `sighted` views.
    """

    episode_id: str
    tier: Tier
    seed: int
    backend: str
    policy: str | None
    adviser: str
    score: float
    replayed_score: float
    gap: float
    exact: bool
    sighted: Ledger
    truth: Ledger
    steps: tuple[StepDebrief, ...]


def debrief(
    record: EpisodeRecord,
    *,
    continuation: str = CONTINUATION,
    simulator_of: str | None = None,
    truth_futures: int = TRUTH_FUTURES,
    sighted_futures: int = SIGHTED_FUTURES,
) -> Debrief:
    """Replays `record` and values its actions; the same record gives the same numbers.

    continuation: name of a policy, see `sighted_player.Adviser`. simulator_of: see `replay`.
    Raises InvalidValue for a record that cannot be replayed, UnknownName for a name.
    """
    replayed = replay(record, simulator_of)
    adviser = Adviser(_maker(continuation), record, replayed)
    sighted = judge_by_sight(replayed, adviser, sighted_futures)
    truth = judge_by_truth(replayed, truth_futures)
    score = grading.grade(record).total
    return Debrief(
        **record.model_dump(include={"episode_id", "tier", "seed", "backend", "policy"}),
        adviser=continuation,
        score=score,
        replayed_score=replayed.score,
        gap=score - replayed.score,
        exact=abs(score - replayed.score) < EXACT,
        sighted=_ledger(sighted),
        truth=_ledger(truth),
        steps=_steps(actions_of(record)[: replayed.steps], adviser.advised, sighted, truth),
    )


def process_rewards(record: EpisodeRecord, *, simulator_of: str | None = None) -> list[float]:
    """An advantage for each action of `record`, from step 1: points of score that it gained or lost
    against the cure that the truth advises at that step; mostly 0 or below.

    Costs about a second. An action after the end of the replay has 0. Raises as `debrief`.
    """
    rewards = advantages(replay(record, simulator_of))
    return rewards + [0.0] * (len(record.steps) - 1 - len(rewards))


def advantages(replayed: Replay, futures: int = TRUTH_FUTURES) -> list[float]:
    """`process_rewards` of a replay."""
    judged = judge_by_truth(replayed, futures)
    return [float(mean) for mean in judged.advantage.mean(axis=1)]


def _maker(name: str) -> Callable[[], Policy]:
    return lambda: load_policy(name)


def _ledger(judged: Judged) -> Ledger:
    totals = judged.value[0], judged.regret.sum(axis=0), judged.luck.sum(axis=0)
    start, regrets, luck = map(_estimate, totals)
    return Ledger(start=start, regrets=regrets, luck=luck)


def _steps(
    taken: Sequence[SREAction], advised: Any, sighted: Judged, truth: Judged
) -> tuple[StepDebrief, ...]:
    views = zip(_views(sighted), _views(truth), strict=True)
    steps, choices = [], choice_numbers(advised)
    for index, (sighted_view, truth_view) in enumerate(views):
        regret = truth_view.regret.mean
        # In the truth's own values, so that both parts add up to its regret.
        missed = float(truth.means[index, choices[index]] - truth.taken[index].mean())
        knowable = min(regret, max(0.0, missed))
        steps.append(
            StepDebrief(
                step=index + 1,
                taken=taken[index],
                advised=action_of(*advised[index].tolist()),
                sighted=sighted_view,
                truth=truth_view,
                knowable=knowable,
                not_knowable=regret - knowable,
            )
        )
    return tuple(steps)


def _views(judged: Judged) -> list[StepView]:
    pairs = choice_pairs(judged.best).tolist()
    return [
        StepView(
            value=_estimate(judged.value[index]),
            value_of_taken=_estimate(judged.taken[index]),
            best_action=action_of(*pair),
            regret=_estimate(judged.regret[index]),
            advantage=_estimate(judged.advantage[index]),
            luck=_estimate(judged.luck[index]),
        )
        for index, pair in enumerate(pairs)
    ]


def _estimate(samples: Any) -> Estimate:
    values = np.asarray(samples)
    return Estimate(mean=float(values.mean()), standard_error=float(standard_error(values)))
