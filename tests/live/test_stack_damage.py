"""What others do to the containers of a stack is undone by the next reset, within seconds."""

import time
from collections.abc import Callable

import httpx
import pytest

from deploy.inspected import full_quota_us
from deploy.local_stack import docker
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import RUNTIME_MEMORY_MB, Network, Part
from sre_autopilot.world.topology import LIMITS, Service
from sre_autopilot.world.vocabulary import ActionName, Tier
from tests.live.conftest import BUILD_TIMEOUT_S, Report
from tests.live.whole_stack import Game

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 300)]

PAYMENT = str(ReplicaId(Service.PAYMENT_GATEWAY, 0))
MEMORY_BYTES = (LIMITS[Service.PAYMENT_GATEWAY].memory_limit_mb + RUNTIME_MEMORY_MB) * 2**20
MENDED_WITHIN_S = 20.0
"""A container that was repaired starts anew, on a machine that is busy."""

Damage = Callable[[Game], object]


def cut_off(name: str, network: Network) -> Damage:
    return lambda game: docker(
        "network", "disconnect", f"{game.up.project}_{network}", game.up.inspect(name)["Id"]
    )


def changed(name: str, *limits: str) -> Damage:
    return lambda game: docker("update", *limits, game.up.inspect(name)["Id"])


def paused(name: str) -> Damage:
    return lambda game: docker("pause", game.up.inspect(name)["Id"])


DAMAGES = {
    "replica off the mesh": cut_off(PAYMENT, Network.MESH),
    "replica off telemetry": cut_off(PAYMENT, Network.TELEMETRY),
    "traffic off the mesh": cut_off(Part.TRAFFIC, Network.MESH),
    "traffic off telemetry": cut_off(Part.TRAFFIC, Network.TELEMETRY),
    "quota": changed(PAYMENT, "--cpu-quota", "2000"),
    "memory": changed(PAYMENT, "--memory", "120m", "--memory-swap", "120m"),
    "replica paused": paused(PAYMENT),
    "traffic paused": paused(Part.TRAFFIC),
    "chaos paused": paused(Part.CHAOS),
    "broker paused": paused(Part.BROKER),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_undone_by_the_next_reset(game: Game, report: Report, damage: str) -> None:
    game.reset(Tier.CONTROL)
    DAMAGES[damage](game)
    began_s = time.monotonic()
    game.reset(Tier.CONTROL, 1)
    took_s = time.monotonic() - began_s
    report(f"reset after: {damage}", f"{took_s:.1f} s")
    assert took_s < MENDED_WITHIN_S
    observation = game.step(ActionName.WAIT)
    assert len(observation["metrics"]) == len(Service)
    game.assert_well()
    raw = game.up.inspect(PAYMENT)
    assert raw["HostConfig"]["Memory"] == MEMORY_BYTES
    assert raw["HostConfig"]["CpuQuota"] == full_quota_us(Service.PAYMENT_GATEWAY)
    assert not any(each["State"]["Paused"] for each in game.containers().values())
    for name in (PAYMENT, Part.TRAFFIC):
        assert set(game.up.inspect(name)["NetworkSettings"]["Networks"]) == {
            f"{game.up.project}_{network}" for network in (Network.MESH, Network.TELEMETRY)
        }


def test_a_killed_orchestrator_is_ready_when_it_says_so(game: Game, report: Report) -> None:
    game.reset(Tier.CONTROL)
    docker("kill", "--signal=KILL", game.up.inspect(Part.ORCHESTRATOR)["Id"])
    began_s = time.monotonic()
    while not ready(game):
        assert time.monotonic() - began_s < 120.0
    report("ready after the orchestrator's kill", f"{time.monotonic() - began_s:.1f} s")
    began_s = time.monotonic()
    game.reset(Tier.CONTROL)
    report("reset after that", f"{time.monotonic() - began_s:.1f} s")
    assert time.monotonic() - began_s < 10.0


def ready(game: Game) -> bool:
    try:
        return httpx.get(f"{game.up.url(Part.ORCHESTRATOR)}/ready", trust_env=False).is_success
    except (httpx.TransportError, RuntimeError):
        return False
