"""Somebody with the token of a real mesh lifts an impairment: the episode is broken, and ends."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chaos.fault import Impairments, Intervention
from orchestrator.backends.process.backend import ProcessBackend
from orchestrator.environment import Environment
from orchestrator.errors import ImpairmentLost
from orchestrator.telemetry.window import Window
from sre_autopilot import grading
from sre_autopilot.grading import Verdict
from sre_autopilot.models import SREAction
from sre_autopilot.world.deployment import Deployment, ReplicaId
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, Tier

WAIT = SREAction(action=ActionName.WAIT)
PAYMENT = ReplicaId(Service.PAYMENT_GATEWAY, 0)
NOTHING = {"step": 1, "ttl_s": 60.0}
FOREIGN = {"step": 1, "ttl_s": 60.0, "neighbour_cpu_pct": 1.0}


@dataclass(frozen=True)
class Dropping:
    """A fault that drops some calls in every window, and has no cure."""

    kind = "dropping"
    root = PAYMENT.service
    cheap_cure = ActionName.RESTART

    def impairments(self, step: int, deployment: Deployment) -> Mapping[ReplicaId, Impairments]:
        return {PAYMENT: Impairments(drop_ratio=0.05)}

    def on_action(self, intervention: Intervention, deployment: Deployment) -> int | None:
        return None

    def parameters(self) -> dict[str, Any]:
        return {}


class MeddledMesh(ProcessBackend):
    """Somebody gives replica `PAYMENT` an order at the beginning of some windows."""

    meddled_at: Mapping[int, dict[str, float]] = {}

    def __init__(self) -> None:
        super().__init__()
        measure = self.observe

        async def observe(step: int, open_breakers: Collection[Service] = ()) -> Window:
            if order := self.meddled_at.get(step):
                (handle,) = self.handles(PAYMENT.service)
                assert handle.target is not None
                token = self._control._headers
                async with httpx.AsyncClient(trust_env=False) as stranger:
                    url = handle.target.control_url + ControlRoute.IMPAIRMENTS
                    (await stranger.put(url, json=order, headers=token)).raise_for_status()
            return await measure(step, open_breakers)

        self.observe = observe


def read(folder: Path) -> grading.EpisodeRecord:
    (record,) = grading.read_episodes((folder / "e.jsonl").read_text().splitlines())
    return record


def test_an_impairment_that_is_lifted_by_hand_breaks_the_episode(tmp_path: Path) -> None:
    def make() -> MeddledMesh:
        mesh = MeddledMesh()
        mesh.meddled_at = {step: NOTHING for step in range(2, 31)}
        return mesh

    with Environment(make, lambda _tier, _seed: (Dropping(),), tmp_path) as environment:
        environment.reset(seed=1, task_tier=Tier.EASY, episode_id="e")
        environment.step(WAIT)
        assert environment.episode.problems == []
        with pytest.raises(ImpairmentLost, match=str(PAYMENT)):
            # The controller renews its orders now and then, which may mend a window.
            for _ in range(2, 31):
                environment.step(WAIT)
    record = read(tmp_path)
    assert not record.finished and record.validity is not None
    assert record.validity.verdict is Verdict.BROKEN
    assert any(str(PAYMENT) in reason for reason in record.validity.reasons)


def test_a_foreign_impairment_is_healed_and_breaks_the_episode(tmp_path: Path) -> None:
    def make() -> MeddledMesh:
        mesh = MeddledMesh()
        mesh.meddled_at = {1: FOREIGN}
        return mesh

    with Environment(make, record_dir=tmp_path) as environment:
        environment.reset(seed=1, task_tier=Tier.CONTROL, episode_id="e")
        for _ in range(3):
            environment.step(WAIT)
    record = read(tmp_path)
    assert len(record.steps) == 4 and record.validity is not None
    assert record.validity.reasons == (f"step 1: {PAYMENT} was not impaired as ordered",)
