"""The stack, up by one command: a whole run in it, and what its actions and faults really do."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from chaos.faults.single_oom import SingleOom
from deploy.inspected import full_quota_us
from deploy.local_stack import docker
from deploy.recording_rules import CPU_PCT, MEMORY_PCT, P99_MS, SLA
from services.runtime.authorization import bearer
from sre_autopilot.evaluation.prometheus_client import Prometheus, Span
from sre_autopilot.world import signals
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import (
    CONTROL_PORT,
    LABEL_CONTAINER,
    LABEL_MESH_ADDRESS,
    LABEL_PROJECT,
    TOKEN_VARIABLE,
    Network,
    Part,
)
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import (
    DEFAULT_TIERS,
    MAX_STEPS,
    OOM_EXIT_CODE,
    SCALE_UP_STEPS,
    ActionName,
    FlapCause,
    Tier,
)
from tests.architecture.source import ROOT
from tests.live.conftest import BUILD_TIMEOUT_S, Report
from tests.live.whole_stack import Game, flapping, wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 300)]

PLAYED_SEED = 14
"""On which the runbook is done soon, on all three tiers."""
RUN_S = 240.0
PAYMENT = ReplicaId(Service.PAYMENT_GATEWAY, 0)
STANDBY = ReplicaId(Service.PAYMENT_GATEWAY, 1)
SOON_OOM = next(s for s in range(1000) if SingleOom.draw(s).memory_leak_mb_per_step > 35)
DEADLY_STEPS = 8
BURST = range(1)
AFTER_IT = range(1, 2)
COUNT_STOPS = """
from services.container import own_quota_file
from services.runtime.run_queue import STOPS
print(*(line.split()[1] for line in own_quota_file().open() if line.startswith(STOPS)))
"""


def test_standbys_rest_once_the_stack_is_up(game: Game) -> None:
    game.assert_well()


def test_a_policy_plays_the_tiers_and_prometheus_sees_it(
    game: Game, tmp_path: Path, report: Report
) -> None:
    game.end()
    with Prometheus(game.up.url(Part.PROMETHEUS)) as prometheus:
        # A session that is over is still reported until the next scrape.
        wait_until(lambda: not prometheus.instant(signals.EPISODE_STEP))
    began_s = time.time()
    played = subprocess.run(
        [sys.executable, "inference.py", "--policy", "runbook", f"--seed={PLAYED_SEED}",
         f"--transcripts={tmp_path}"],
        cwd=ROOT,
        env={**os.environ, "SRE_BASE_URL": game.up.url(Part.ORCHESTRATOR)},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )  # fmt: skip
    span = Span(began_s, time.time())
    ends = [line for line in played.stdout.splitlines() if line.startswith("[END]")]
    report("three tiers in containers", f"{span.end_s - began_s:.0f} s: {'; '.join(ends)}")
    assert played.returncode == 0, played.stderr
    assert len(ends) == len(DEFAULT_TIERS)
    assert ends[0].startswith("[END] success=true")
    with Prometheus(game.up.url(Part.PROMETHEUS)) as prometheus:
        lasted = [
            max(value for _, value in series.values)
            for series in prometheus.range(signals.EPISODE_STEP, span)
        ]
        assert len(lasted) == len(DEFAULT_TIERS), "each tier is a session of its own"
        assert all(1 <= steps <= MAX_STEPS for steps in lasted)
        for rule in (P99_MS, SLA, CPU_PCT, MEMORY_PCT):
            services = {
                series.metric[signals.LABEL_SERVICE] for series in prometheus.range(rule, span)
            }
            assert services == {*Service}, rule


def test_a_restart_is_that_of_one_container(game: Game) -> None:
    game.reset(Tier.CONTROL)
    before = game.started()
    game.step(ActionName.RESTART, PAYMENT.service)
    after = game.started()
    assert {name for name in after if after[name] != before[name]} == {str(PAYMENT)}


def test_a_leak_ends_in_a_kill_by_the_kernel(game: Game) -> None:
    root = str(ReplicaId(SingleOom.draw(SOON_OOM).root, 0))
    of_root = [f"label={LABEL_PROJECT}={game.up.project}", f"label={LABEL_CONTAINER}={root}"]
    game.reset(Tier.EASY, SOON_OOM)
    before = game.started()[root]
    for _ in range(DEADLY_STEPS):
        since_s = time.time()
        game.step()
        if game.events(since_s, *of_root, "event=oom"):
            break
    else:
        pytest.fail("nothing was killed")
    (death,) = game.events(since_s, *of_root, "event=die")
    assert death["Actor"]["Attributes"]["exitCode"] == str(OOM_EXIT_CODE)
    assert game.started()[root] != before
    assert game.containers()[root]["State"]["Running"]
    game.step()
    assert served(game, root) > 0


def served(game: Game, replica: str) -> float:
    """Calls that a replica has answered, by its own count."""
    url = f"http://{game.up.address(replica, Network.TELEMETRY)}:{CONTROL_PORT}/metrics"
    headers = bearer(game.up.environ[TOKEN_VARIABLE])
    page = httpx.get(url, headers=headers, trust_env=False).raise_for_status().text
    counts = (
        row for row in page.splitlines() if row.startswith(f"{signals.SERVER_DURATION}_count")
    )
    return sum(float(row.rpartition(" ")[2]) for row in counts)


def test_a_scaled_up_standby_serves_from_the_third_step(game: Game) -> None:
    game.reset(Tier.CONTROL)
    game.step(ActionName.SCALE_UP, STANDBY.service)
    assert str(STANDBY) in game.running()
    for _ in range(SCALE_UP_STEPS - 1):
        game.step()
    assert served(game, str(STANDBY)) == 0
    game.step()
    assert served(game, str(STANDBY)) > 0


def test_a_rollback_stops_what_ran(game: Game) -> None:
    game.reset(Tier.CONTROL)
    game.step(ActionName.ROLLBACK, PAYMENT.service)
    wait_until(lambda: not game.running() >= {str(PAYMENT)})
    assert str(STANDBY) in game.running()
    assert served(game, str(STANDBY)) > 0


def test_a_stale_connection_is_a_container_off_the_network(game: Game) -> None:
    game.reset(Tier.HARD, flapping(FlapCause.STALE_CONNECTION, down=BURST, up=AFTER_IT))
    before = game.started()[str(PAYMENT)]
    wait_until(lambda: game.mesh_address(str(PAYMENT)) is None)
    game.step()
    labels = game.up.inspect(str(PAYMENT))["Config"]["Labels"]
    assert game.mesh_address(str(PAYMENT)) == labels[LABEL_MESH_ADDRESS]
    assert game.started()[str(PAYMENT)] == before


def test_a_noisy_neighbour_takes_cpu_in_bursts(game: Game) -> None:
    def quota_us() -> int:
        return int(game.up.inspect(str(PAYMENT))["HostConfig"]["CpuQuota"])

    def stops() -> int:
        """How often its own quota has stopped it, as the container reads it."""
        container = game.up.inspect(str(PAYMENT))["Id"]
        return int(docker("exec", container, "python", "-c", COUNT_STOPS))

    full_us, stops_before = full_quota_us(PAYMENT.service), stops()
    game.reset(Tier.HARD, flapping(FlapCause.NOISY_NEIGHBOUR, down=BURST, up=range(2, 3)))
    for _ in range(2):
        wait_until(lambda: quota_us() < full_us / 10)
        wait_until(lambda: quota_us() == full_us)
    game.step()
    game.step()
    assert quota_us() == full_us
    assert stops() > stops_before


def test_after_all_that_a_reset_leaves_nothing_of_it(game: Game) -> None:
    game.reset(Tier.HARD, flapping(FlapCause.STALE_CONNECTION, down=BURST, up=AFTER_IT))
    game.step(ActionName.SCALE_UP, Service.USER_DB)
    game.reset(Tier.CONTROL)
    game.assert_well()
