"""The rows of the data set: one of each step, and one of each episode. Pure.

These classes are its schema: the JSON Schema and the Parquet columns are made from them.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field

from sre_autopilot.grading import EpisodeRecord, FaultRecord, Score, StepRecord
from sre_autopilot.grading.frozen import Frozen
from sre_autopilot.models import ServiceMetrics, SREObservation
from sre_autopilot.world.vocabulary import SEED_SPLITS

NO_SPLIT = "other"
"""Split of seeds that belong to none."""


class Metrics(Frozen):
    """A service in a window: as observed, or true."""

    service: str
    latency_p99: float | None = Field(description="99th percentile of latency, ms")
    error_rate: float | None = Field(description="share of failed calls, 0..1")
    cpu_pct: float | None = Field(description="CPU, percent of its limit")
    memory_pct: float | None = Field(description="memory, percent of its limit")
    sla_met: bool


class Edge(Frozen):
    """Calls between two services, as seen in the spans that arrived."""

    caller: str
    callee: str
    calls: int
    error_rate: float
    latency_p99: float = Field(description="ms")


class OfEpisode(Frozen):
    """Which episode a row is of."""

    episode_id: str
    split: str = Field(description="of the episode's seed: train, validation, test or other")
    backend: str = Field(description="the world: simulator, process or docker")
    policy: str | None
    tier: str
    seed: int


class StepRow(OfEpisode):
    """A step: the action, what the agent saw after it, and what was true."""

    step: int = Field(description="0 is the window of the reset, before any action")
    action: str | None = Field(description="null at step 0")
    service_id: str | None
    accepted: bool | None = Field(description="whether the world carried it out")
    observed: tuple[Metrics, ...] = Field(description="noisy and late; what an agent gets")
    edges: tuple[Edge, ...] = Field(description="noisy and late; what an agent gets")
    cost_spent: int
    remaining_restarts: int
    reward_hint: float
    last_action_error: str | None
    done: bool
    reward: float = Field(description="the score at the last step, else 0")
    true: tuple[Metrics, ...] = Field(description="TRUTH: hidden from agents")
    process_reward: float | None = Field(
        description="TRUTH: advantage of the action, where it was computed"
    )


class Fault(Frozen):
    """A hidden fault."""

    kind: str
    root: str | None = Field(description="the service that is the cause")
    cheap_cure: str = Field(description="the action on it that cures at the lowest cost")
    parameters: str = Field(description="a JSON object")
    cured_at: int | None = Field(description="step from which it was cured")
    cured_by: str | None


class EpisodeRow(OfEpisode):
    """An episode: who played what, what was broken, and the score."""

    world_version: str = Field(description="scores of different versions cannot be compared")
    steps: int = Field(description="without that of the reset")
    faults: tuple[Fault, ...] = Field(description="TRUTH: hidden from agents")
    score: float = Field(description="in (0, 1)")
    sla: float
    speed: float
    budget: float
    root_cause: float
    recovered_at: int | None = Field(description="step of the recovery")
    validity: str = Field(description="whether the machine decided the score")


def split_of(seed: int) -> str:
    """The split that a seed belongs to."""
    return next((name for name, seeds in SEED_SPLITS.items() if seed in seeds), NO_SPLIT)


def _of(record: EpisodeRecord) -> dict[str, Any]:
    """The fields of OfEpisode."""
    return {
        "episode_id": record.episode_id,
        "split": split_of(record.seed),
        "backend": record.backend,
        "policy": record.policy,
        "tier": record.tier,
        "seed": record.seed,
    }


def episode_row(record: EpisodeRecord, score: Score) -> EpisodeRow:
    """The row of a finished episode."""
    return EpisodeRow(
        **_of(record),
        world_version=record.world_version,
        steps=len(record.steps) - 1,
        faults=tuple(map(_fault, record.faults)),
        score=score.total,
        sla=score.sla,
        speed=score.speed,
        budget=score.budget,
        root_cause=score.root_cause,
        recovered_at=score.recovered_at,
        validity=record.checked_validity.verdict,
    )


def step_rows(
    record: EpisodeRecord, score: Score, process_rewards: Sequence[float] | None = None
) -> Iterator[StepRow]:
    """A row of each step of a finished episode.

    process_rewards: of each step but that of the reset, in their order; None where not computed.
    Raises ValueError where there are more or fewer of them, or where a step has no observation.
    """
    last, of_episode = len(record.steps) - 1, _of(record)
    if process_rewards is not None and len(process_rewards) != last:
        raise ValueError(f"{last} steps have {len(process_rewards)} process rewards")
    for step in record.steps:
        observation = SREObservation.model_validate(step.observed)
        action = step.action
        reward = process_rewards[step.step - 1] if process_rewards and step.step else None
        yield StepRow(
            **of_episode,
            step=step.step,
            action=action and action.action,
            service_id=action and action.service_id,
            accepted=None if action is None else action.accepted,
            observed=_observed(observation),
            edges=tuple(Edge(**edge.model_dump()) for edge in observation.trace_edges),
            cost_spent=observation.cost_spent,
            remaining_restarts=observation.remaining_restarts,
            reward_hint=observation.reward_hint,
            last_action_error=observation.last_action_error,
            done=step.step == last,
            reward=score.total if step.step == last else 0.0,
            true=_true(step),
            process_reward=reward,
        )


def _observed(observation: SREObservation) -> tuple[Metrics, ...]:
    return tuple(
        Metrics(service=service, sla_met=observation.sla_status[service], **_values(metrics))
        for service, metrics in observation.metrics.items()
    )


def _values(metrics: ServiceMetrics) -> dict[str, float | None]:
    values: dict[str, float | None] = metrics.model_dump()
    return values


def _true(step: StepRecord) -> tuple[Metrics, ...]:
    names = {"latency_p99", "error_rate", "cpu_pct", "memory_pct", "sla_met"}
    return tuple(
        Metrics(service=service, **true.model_dump(include=names))
        for service, true in step.true.items()
    )


def _fault(fault: FaultRecord) -> Fault:
    fields = fault.model_dump(mode="json")
    return Fault(**fields | {"parameters": json.dumps(fields["parameters"], sort_keys=True)})
