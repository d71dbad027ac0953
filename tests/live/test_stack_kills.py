"""Any part may be killed, or restarted, in the middle of an episode and of an outage."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deploy.local_stack import docker
from orchestrator.errors import StackUnavailable
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.stack import LABEL_MESH_ADDRESS, Part
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName, FlapCause, Tier
from tests.live.conftest import BUILD_TIMEOUT_S, Report
from tests.live.whole_stack import Game, flapping, wait_until

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 300)]

PAYMENT = str(ReplicaId(Service.PAYMENT_GATEWAY, 0))
DATABASE = str(ReplicaId(Service.USER_DB, 0))
CUT_OFF_SEED = flapping(FlapCause.STALE_CONNECTION, down=range(2), up=range(2, 4))
"""Cut off when it is reset and in the first step."""
BACK_WITHIN_S = 20.0
HEALED_WITHIN_S = 10.0
CLEAR_FAILURES = frozenset(
    {httpx.codes.NOT_FOUND, httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE}
)
ENDS_EPISODES = frozenset({Part.ORCHESTRATOR, Part.TRAFFIC})
"""Without its loop an episode is lost, and without its users it measures nothing."""

Blow = Callable[[Game, str], object]


def kill(game: Game, name: str) -> None:
    docker("kill", "--signal=KILL", game.up.inspect(name)["Id"])


def restart(game: Game, name: str) -> None:
    """As an operator does, who is patient."""
    game.up.compose("restart", name)


def clear(answer: httpx.Response | None) -> bool:
    """An answer, or an error that says what is wrong, or no connection."""
    if answer is None or answer.is_success:
        return True
    return answer.status_code in CLEAR_FAILURES and bool(answer.json()["detail"])


def serves(game: Game) -> bool:
    try:
        url = f"{game.up.url(Part.ORCHESTRATOR)}/health"
        return httpx.get(url, trust_env=False).is_success
    except (httpx.TransportError, StackUnavailable):
        return False


@pytest.mark.parametrize(
    ("blow", "name"),
    [
        *((kill, name) for name in (*Part, PAYMENT)),
        *((restart, name) for name in (Part.ORCHESTRATOR, Part.CHAOS, DATABASE)),
    ],
    ids=lambda case: getattr(case, "__name__", str(case)),
)
def test_the_stack_recovers(game: Game, report: Report, blow: Blow, name: str) -> None:
    game.reset(Tier.HARD, CUT_OFF_SEED)
    address = game.up.inspect(PAYMENT)["Config"]["Labels"][LABEL_MESH_ADDRESS]
    before = game.started()[name]
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(game.ask, "/step", action=ActionName.WAIT)
        blow(game, name)
        struck_s = time.monotonic()
        answers = [under_way.result(), game.ask("/step", action=ActionName.WAIT)]
    assert all(map(clear, answers)), answers
    assert name in ENDS_EPISODES or all(a is not None and a.is_success for a in answers), answers
    wait_until(lambda: game.mesh_address(PAYMENT) == address, HEALED_WITHIN_S)
    if name != Part.TRAFFIC:  # the next reset waits for no other session
        wait_until(lambda: name in game.running() and game.started()[name] != before, BACK_WITHIN_S)
        report(f"{name} is back after a {blow.__name__}", f"{time.monotonic() - struck_s:.1f} s")
    wait_until(lambda: serves(game))
    assert game.reset(Tier.CONTROL)["trace_edges"]
    assert game.step()["trace_edges"]
    game.assert_well()
