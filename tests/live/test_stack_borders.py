"""What an agent, or a part that was taken over, cannot reach in the stack."""

import json
from collections.abc import Iterable, Iterator

import pytest

from deploy.compose import INFERENCE, SOCKET
from deploy.inspected import Containers
from services.runtime.authorization import bearer
from sre_autopilot.world import signals
from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import ControlRoute
from sre_autopilot.world.stack import (
    BROKER_PORT,
    CHAOS_PORT,
    CONTROL_PORT,
    METRICS_PORT,
    PROMETHEUS_PORT,
    SERVER_PORT,
    TOKEN_VARIABLE,
    BrokerVerb,
    Network,
    Part,
    network_alias,
)
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import Tier
from tests.live.conftest import BUILD_TIMEOUT_S
from tests.live.whole_stack import Game

pytestmark = [pytest.mark.live, pytest.mark.timeout(BUILD_TIMEOUT_S + 300)]

PORTS = (
    SERVER_PORT,
    BROKER_PORT,
    CHAOS_PORT,
    CONTROL_PORT,
    METRICS_PORT,
    PROMETHEUS_PORT,
)
KNOCK = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def opens(door):
    try:
        socket.create_connection(tuple(door), 1).close()
    except OSError:
        return False
    return True

doors = json.loads(sys.argv[1])
with ThreadPoolExecutor(64) as pool:
    print(json.dumps([door for door, is_open in zip(doors, pool.map(opens, doors)) if is_open]))
"""
ORDER = """
import httpx, json, sys
base, headers, orders = json.loads(sys.argv[1])
said = [httpx.request(*order[:2], **order[2], headers=headers, timeout=20) for order in
        [(method, base + path, {"json": body}) for method, path, body in orders]]
print(json.dumps([[answer.status_code, answer.text] for answer in said]))
"""
DATABASE = str(ReplicaId(Service.USER_DB, 0))


def doors(project: str, containers: Containers) -> Iterator[tuple[str, int]]:
    """Every port of every container that runs, on each of its networks."""
    for raw in containers.values():
        for network in Network:
            attached = raw["NetworkSettings"]["Networks"].get(f"{project}_{network}")
            if attached and attached["IPAddress"]:
                yield from ((attached["IPAddress"], port) for port in PORTS)


def knock(game: Game, targets: Iterable[tuple[str, int]], *where: str) -> set[tuple[str, int]]:
    """Which of them open for a container."""
    output = game.up.compose(*where, "python", "-c", KNOCK, json.dumps(list(targets)))
    return {(host, port) for host, port in json.loads(output.splitlines()[-1])}


def test_only_the_broker_holds_the_socket(game: Game) -> None:
    holders = {
        name
        for name, raw in game.containers().items()
        for mount in raw["Mounts"]
        if SOCKET in (mount["Source"], mount["Destination"])
    }
    assert holders == {Part.BROKER, Part.BROKER_STANDBY}


def test_an_agent_reaches_the_server_and_nothing_else(game: Game) -> None:
    game.reset(Tier.CONTROL)  # the receiver of spans listens while an episode is there
    targets = list(doors(game.up.project, game.containers()))
    opened = knock(game, targets, "run", "--rm", "--no-deps", "-T", INFERENCE)
    assert opened == {(game.up.address(Part.ORCHESTRATOR, Network.AGENT), SERVER_PORT)}
    # The same doors do open for whom they are meant.
    assert {
        (game.up.address(Part.BROKER, Network.CONTROL), BROKER_PORT),
        (game.up.address(Part.CHAOS, Network.CONTROL), CHAOS_PORT),
        (game.up.address(DATABASE, Network.TELEMETRY), CONTROL_PORT),
        (game.up.address(Part.PROMETHEUS, Network.TELEMETRY), PROMETHEUS_PORT),
        (game.up.address(Part.ORCHESTRATOR, Network.TELEMETRY), METRICS_PORT),
    } <= knock(game, targets, "exec", "-T", Part.ORCHESTRATOR)


def test_the_broker_refuses_what_it_does_not_offer(game: Game) -> None:
    base = f"http://{network_alias(Part.BROKER, Network.CONTROL)}:{BROKER_PORT}"
    headers = dict(bearer(game.up.environ[TOKEN_VARIABLE]))
    before = game.started()
    asked = [
        ["GET", "/metrics", None],
        ["POST", f"/containers/{DATABASE}/exec", {}],
        ["POST", f"/containers/{INFERENCE}/{BrokerVerb.RESTART}", {}],
        ["POST", f"/containers/{Part.ORCHESTRATOR}/{BrokerVerb.RESTART}", {}],
        ["POST", f"/containers/{Part.TRAFFIC}/{BrokerVerb.DISCONNECT}", {}],
        ["POST", f"/containers/{DATABASE}/{BrokerVerb.LIMIT}", {"cpu_share": 2}],
        ["DELETE", f"/containers/{DATABASE}", None],
        ["POST", "/containers/create", {}],
        ["GET", "/metrics", None],
    ]
    output = game.up.compose(
        "exec", "-T", Part.ORCHESTRATOR, "python", "-c", ORDER, json.dumps([base, headers, asked])
    )
    (_, first), *refusals, (_, last) = json.loads(output)
    assert [status for status, _ in refusals] == [404, 404, 404, 404, 422, 405, 405]
    assert all(verb in refusals[0][1] for verb in BrokerVerb)
    assert DATABASE in refusals[2][1]
    assert refused(last) - refused(first) == len(refusals)
    assert game.started() == before


def test_nobody_orders_or_reads_without_the_token_of_the_stack(game: Game) -> None:
    broker, chaos = (network_alias(part, Network.CONTROL) for part in (Part.BROKER, Part.CHAOS))
    database = network_alias(DATABASE, Network.TELEMETRY)
    asked = [
        ["GET", f"http://{broker}:{BROKER_PORT}/containers", None],
        ["POST", f"http://{broker}:{BROKER_PORT}/containers/{DATABASE}/{BrokerVerb.RESTART}", {}],
        ["DELETE", f"http://{chaos}:{CHAOS_PORT}{ControlRoute.IMPAIRMENTS}", None],
        ["PUT", f"http://{database}:{CONTROL_PORT}{ControlRoute.IMPAIRMENTS}", {}],
        ["GET", f"http://{database}:{CONTROL_PORT}{ControlRoute.METRICS}", None],
    ]
    program = ("python", "-c", ORDER, json.dumps(["", {}, asked]))
    output = game.up.compose("exec", "-T", Part.ORCHESTRATOR, *program)
    assert [status for status, _ in json.loads(output)] == [401] * len(asked)


def refused(page: str) -> float:
    rows = (row for row in page.splitlines() if row.startswith(f"{signals.BROKER_REFUSALS}{{"))
    return sum(float(row.rpartition(" ")[2]) for row in rows)
