"""Orders to the broker, and its count of refusals."""

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from sre_autopilot.world.deployment import ReplicaId
from sre_autopilot.world.signals import BROKER_REFUSALS
from sre_autopilot.world.stack import Part
from sre_autopilot.world.topology import LIMITS, Service

DB = str(ReplicaId(Service.USER_DB, 0))
USERS = str(Part.TRAFFIC)
WAIT_S = 10.0
LIMIT_CORES = LIMITS[Service.USER_DB].cpu_limit_cores
NOTHING = ("start", "restart", "connect", "disconnect")


def order(client: TestClient, verb: str, **arguments: float) -> dict[str, object]:
    answer = client.post(f"/containers/{DB}/{verb}", json=arguments)
    assert answer.status_code == 200, answer.text
    state: dict[str, object] = answer.json()
    assert state == client.get(f"/containers/{DB}").json()
    return state


def counted(client: TestClient) -> dict[str, float]:
    return {
        sample.labels["reason"]: sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name == BROKER_REFUSALS
    }
