"""A mesh that fails takes its episode along, and leaves nothing running."""

import pytest

from chaos.fault import Impairments
from orchestrator.environment import Environment
from orchestrator.errors import (
    BackendError,
    EpisodeNotStarted,
    FaultNotInstalled,
)
from sre_autopilot import grading
from sre_autopilot.models import SREAction
from sre_autopilot.world.vocabulary import ActionName, FaultKind, Tier
from tests.watched_simulator import WatchedSimulator

WAIT = SREAction(action=ActionName.WAIT)


class Failing(WatchedSimulator):
    """A mesh whose world fails at the given verb."""

    def __init__(self, verb="observe"):
        super().__init__()
        self._verb = verb

    async def observe(self, step, open_breakers=()):
        if self._verb == "observe" and step == 1:
            raise BackendError("the world ended")
        return await super().observe(step, open_breakers)

    async def apply(self, target, impairments, step, ttl_s):
        if self._verb == "apply":
            return Impairments()
        return await super().apply(target, impairments, step, ttl_s)


def test_a_world_that_fails_takes_its_episode_along_and_nothing_else(tmp_path):
    made = []

    def make():
        made.append(Failing())
        return made[-1]

    with Environment(make, record_dir=tmp_path) as environment:
        environment.reset(seed=1)
        with pytest.raises(BackendError):
            environment.step(WAIT)
        assert made[0].closed
        with pytest.raises(EpisodeNotStarted):
            environment.step(WAIT)
        environment.reset(seed=1)
        assert len(made) == 2


def test_the_record_of_a_world_that_failed_is_broken(tmp_path):
    with Environment(Failing, record_dir=tmp_path) as environment:
        environment.reset(seed=1, episode_id="e")
        with pytest.raises(BackendError):
            environment.step(WAIT)
    (record,) = grading.read_episodes((tmp_path / "e.jsonl").read_text().splitlines())
    validity = record.validity
    assert not record.finished and validity is not None
    assert (validity.verdict, validity.reasons) == (grading.Verdict.BROKEN, ("the world ended",))


def test_a_fault_that_does_not_take_is_an_error_at_reset():
    class Deaf(Failing):
        async def launch(self, seed):
            await super().launch(seed)
            self._verb = "apply"

    with Environment(Deaf) as environment:
        with pytest.raises(FaultNotInstalled, match=FaultKind.SINGLE_OOM):
            environment.reset(seed=1, task_tier=Tier.EASY)
        with pytest.raises(EpisodeNotStarted):
            environment.step(WAIT)


def test_a_fault_that_is_late_on_a_busy_machine_is_tried_again():
    class Late(Failing):
        def __init__(self):
            super().__init__()
            self._late = 2

        async def apply(self, target, impairments, step, ttl_s):
            self._late -= impairments != Impairments()
            self._verb = "apply" if self._late > 0 else "none"
            return await super().apply(target, impairments, step, ttl_s)

    with Environment(Late) as environment:
        assert environment.reset(seed=1, task_tier=Tier.EASY).step == 0


def test_a_mesh_is_ended_also_where_closing_fails():
    meshes = []

    class Stubborn(WatchedSimulator):
        def __init__(self):
            super().__init__()
            meshes.append(self)

        async def apply(self, target, impairments, step, ttl_s):
            if impairments == Impairments():
                raise BackendError("it does not heal")
            return await super().apply(target, impairments, step, ttl_s)

    environment = Environment(Stubborn)
    environment.reset(seed=1, task_tier=Tier.EASY)
    with pytest.raises(BackendError, match="does not heal"):
        environment.close()
    assert meshes[0].closed
