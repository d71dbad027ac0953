"""The server's start: its version check, its garbage collector, a failed backend."""

import gc
import sys
from unittest.mock import ANY

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from orchestrator.backends import BACKENDS, prepare
from orchestrator.errors import BackendUnhealthy, StackUnavailable
from orchestrator.settings import Settings
from server.app import FULL_COLLECTION_AFTER, _rare_full_collections, _warm_up, create_app
from server.openenv_compat import SUPPORTED, check_version
from server.preparation import Preparation
from server.readiness import backend_status
from server.startup import backend_problem
from sre_autopilot.errors import UnknownName
from sre_autopilot.world.vocabulary import FaultKind
from tests.server.doors import until_async

QUIET = {"metrics_port": 0, "max_sessions": 2}
"""No port for metrics, and no measuring of how much this machine carries."""


class OutOfOrderBackend:
    """A backend of somebody else, which is reconciled before any episode."""

    reconciled = 0
    failures = 0
    closed = 0
    error: type[Exception] = StackUnavailable

    @classmethod
    def of(cls, settings):
        return cls()

    async def reconcile(self):
        type(self).reconciled += 1
        if self.reconciled <= self.failures:
            raise self.error("it is out of order")

    async def check(self):
        if self.failures:
            raise StackUnavailable(f"no broker for {FaultKind.SINGLE_OOM}")

    async def aclose(self):
        type(self).closed += 1


@pytest.fixture
def third_party(monkeypatch):
    """Settings that name the backend as module:Class, and its class."""
    for name in ("reconciled", "failures", "closed"):
        monkeypatch.setattr(OutOfOrderBackend, name, 0)
    monkeypatch.setattr(OutOfOrderBackend, "error", StackUnavailable)
    monkeypatch.setattr("orchestrator.backends.RETRY_S", 0.0)
    monkeypatch.setitem(sys.modules, "their_module", sys.modules[__name__])
    return Settings(backend=f"their_module:{OutOfOrderBackend.__name__}"), OutOfOrderBackend


def wait_until_ready(client):
    """The backend is brought into order while the server answers."""
    while (answer := client.get("/ready")).status_code != 200:
        assert answer.json()["status"] == "backend_starting"


@pytest.mark.parametrize("version", [f"{SUPPORTED}.0", f"{SUPPORTED}.7rc1", SUPPORTED])
def test_supported_version_of_openenv_is_taken(version):
    check_version(version)


@pytest.mark.parametrize("version", ["0.1.0", "0.11.0", "1.10.0", "", "0.100"])
def test_other_version_of_openenv_is_refused_with_a_command(version):
    with pytest.raises(ImportError, match=rf"openenv {version} is installed.*pip install"):
        check_version(version)


def test_the_schema_is_made_before_the_first_request(monkeypatch):
    monkeypatch.setattr("server.app._warm_up", _warm_up)
    app = create_app(Settings(metrics_port=0))
    assert app.openapi_schema is None
    with TestClient(app):
        assert app.openapi_schema


@pytest.fixture
def collector():
    """As it was among tests: what was collected with them stays out of its sight."""
    yield
    gc.freeze()


@pytest.mark.usefixtures("collector")
def test_full_collections_are_rare_while_the_server_runs():
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with _rare_full_collections():
        assert gc.get_threshold() == (*before[:2], FULL_COLLECTION_AFTER)
        assert gc.get_freeze_count() > frozen
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("collector")
def test_collector_is_as_before_after_a_failure():
    before = gc.get_threshold()
    with pytest.raises(OSError), _rare_full_collections():
        raise OSError
    assert gc.get_threshold() == before


@pytest.mark.anyio
async def test_backend_of_somebody_else_is_reconciled_and_closed(third_party):
    settings, backend = third_party
    backend.failures = 2
    await prepare(settings)
    assert (backend.reconciled, backend.closed) == (3, 1)


def test_ready_says_when_the_backend_is_unavailable_and_the_log_says_why(third_party, caplog):
    settings, backend = third_party
    with TestClient(create_app(settings.model_copy(update=QUIET))) as client:
        wait_until_ready(client)
        backend.failures = 1
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "backend_unavailable", "sessions": 0, "max_sessions": 2}
        assert f"no broker for {FaultKind.SINGLE_OOM}" in caplog.text
        backend.failures = 0
        assert client.get("/ready").json()["status"] == "ready"


@pytest.mark.anyio
async def test_each_reason_is_logged_once(third_party, caplog):
    settings, backend = third_party
    backend.failures = 3
    preparation = Preparation(settings)
    async with preparation.running():
        await preparation.wait()
    (record,) = caplog.records
    assert "it is out of order" in record.getMessage() and settings.backend in record.getMessage()


@pytest.mark.anyio
async def test_backend_that_does_not_exist_is_named():
    with pytest.raises(UnknownName, match="nowhere:Backend"):
        await prepare(Settings(backend="nowhere:Backend"))


def test_problem_names_the_variable_the_reason_and_the_other_backends():
    text = backend_problem("docker", StackUnavailable("no broker"))
    assert "\n" not in text
    assert "SRE_BACKEND=docker" in text and "no broker" in text
    assert all(name in text for name in BACKENDS)


@pytest.mark.anyio
async def test_preparation_goes_on_after_its_time_and_ready_says_so(third_party, caplog):
    settings, backend = third_party
    now_s = [0.0]
    backend.failures = 10**9
    preparation = Preparation(settings, 60.0, clock=lambda: now_s[0])
    async with preparation.running():
        await until_async(lambda: backend.reconciled > 0)
        assert await backend_status(settings, preparation) == ("backend_starting", ANY)
        now_s[0] = 3600.0
        status, reason = await backend_status(settings, preparation)
        assert (status, backend.closed) == ("backend_unavailable", 0)
        assert "it is out of order" in reason
        tried, backend.failures = backend.reconciled, backend.reconciled + 2
        await preparation.wait()
        assert backend.reconciled > tried
        backend.failures = 0
        assert await backend_status(settings, preparation) == ("ready", "")
    assert "it is out of order" in caplog.text


@pytest.mark.anyio
async def test_reset_waits_for_the_preparation_for_a_limited_time(third_party, monkeypatch):
    monkeypatch.setattr("server.preparation.LATE_WAIT_S", 0.05)
    settings, backend = third_party
    backend.failures = 10**9
    preparation = Preparation(settings, timeout_s=0.0)
    async with preparation.running():
        with pytest.raises(BackendUnhealthy, match=r"it is out of order"):
            await preparation.wait()
        assert preparation.pending, "it goes on"
    assert not preparation.pending and backend.closed == 1


@pytest.mark.anyio
async def test_preparation_that_breaks_is_logged_and_ends_no_server(third_party, caplog):
    settings, backend = third_party
    backend.error, backend.failures = ZeroDivisionError, 1
    preparation = Preparation(settings)
    async with preparation.running():
        await preparation.wait()
        assert not preparation.pending
    assert "ZeroDivisionError" in caplog.text


def test_reason_of_an_unavailable_backend_needs_the_token(third_party):
    settings, backend = third_party
    own = {"metrics_port": 0, "state_token": SecretStr("a-token")}
    with TestClient(create_app(settings.model_copy(update=own))) as client:
        wait_until_ready(client)
        backend.failures = 1
        assert "reason" not in client.get("/ready").json(), "agents read it"
        answer = client.get("/ready", headers={"Authorization": "Bearer a-token"})
        assert answer.status_code == 503 and "no broker for" in answer.json()["reason"]
