"""GET /advice: what a shipped policy would do next in a session, so that people can watch it play.

A policy may read the truth, and a good one is as good as the answer: advice is for whom `/state`
shows the truth to.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query
from pydantic import BaseModel, Field, WithJsonSchema

from orchestrator.episode import Episode
from orchestrator.errors import EpisodeNotStarted, EpisodeOver
from orchestrator.settings import Settings
from server.routes import ERRORS, WRONG_TOKEN, require_token
from server.schemas import DEFAULT_SESSION, checked_by
from server.sessions import SessionServer
from sre_autopilot.errors import UnknownName
from sre_autopilot.grading import StepRecord
from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.policies import POLICY_NAMES, Policy, brief, load_policy
from sre_autopilot.policies.policy import WAIT

MOST_KEPT = 16
"""Policies that are kept in the middle of their episodes; one that is forgotten reads its episode
anew."""


def parse_policy(name: object) -> str:
    """A shipped policy's name; no other is loaded for a client. Raises UnknownName."""
    if name not in POLICY_NAMES:
        raise UnknownName("policy", name, POLICY_NAMES)
    return str(name)


PolicyQuery = Annotated[
    str,
    checked_by(parse_policy),
    WithJsonSchema({"type": "string", "enum": [*POLICY_NAMES]}),
]


class Advice(BaseModel):
    """What `policy` would do after the window of `step`."""

    policy: str
    step: int
    action: SREAction = Field(description="its next one")
    privileged: bool = Field(description="whether it reads the hidden truth")


def advice_routes(settings: Settings, sessions: SessionServer) -> APIRouter:
    """The one route."""
    router, advisers = APIRouter(tags=["Episodes"], responses=WRONG_TOKEN | ERRORS), Advisers()

    @router.get("/advice", summary="What a shipped policy would do next")
    async def advice(
        policy: Annotated[PolicyQuery, Query(description="who is asked, by its name")],
        session_id: Annotated[str, Query(description="in whose episode")] = DEFAULT_SESSION,
        authorization: Annotated[str | None, Header()] = None,
    ) -> Advice:
        """From what the session's agent has seen so far, whoever acted."""
        require_token(settings, authorization)
        return await advisers.ask(policy, sessions.find_started(session_id).episode)

    return router


@dataclass
class _Adviser:
    """A policy that has looked over the shoulder of who plays `episode`, `read` windows so far."""

    policy: Policy
    episode: Episode
    read: int = 0
    action: SREAction = WAIT

    def catch_up(self, steps: Sequence[StepRecord]) -> SREAction:
        for step in steps[self.read :]:
            self.action = self.policy.act(SREObservation.model_validate(step.observed))
        self.read = len(steps)
        return self.action


class Advisers:
    """Policies in the middle of episodes; one thinks at a time, in a thread of its own."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._one_at_a_time = asyncio.Lock()
        self._kept: OrderedDict[tuple[str, str], _Adviser] = OrderedDict()

    async def ask(self, name: str, episode: Episode) -> Advice:
        """Raises EpisodeNotStarted before the first window, EpisodeOver after the last."""
        if not episode.steps:
            raise EpisodeNotStarted
        if episode.done:
            raise EpisodeOver(episode.step)
        async with self._one_at_a_time:
            steps = tuple(episode.steps)
            adviser = await asyncio.to_thread(partial(self._adviser, name, episode))
            action = await asyncio.to_thread(adviser.catch_up, steps)
            self._keep(name, adviser)
        return Advice(
            policy=name,
            step=steps[-1].step,
            action=action,
            privileged=adviser.policy.privileged,
        )

    def _adviser(self, name: str, episode: Episode) -> _Adviser:
        kept = self._kept.pop((episode.plan.episode_id, name), None)
        if kept is not None and kept.episode is episode:
            return kept
        policy = load_policy(name)
        brief(policy, episode.plan.seed, episode)
        return _Adviser(policy, episode)

    def _keep(self, name: str, adviser: _Adviser) -> None:
        self._kept[adviser.episode.plan.episode_id, name] = adviser
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
