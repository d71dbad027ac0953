"""Everything that a user may meet is documented on its page, and what is documented exists."""

import re
from dataclasses import fields
from enum import StrEnum
from http import HTTPStatus

import pytest

from chaos.fault import Impairments
from orchestrator import errors
from orchestrator.settings import PREFIX, Settings
from server.app import create_app
from server.connection_limits import BUSY, HEAD_TOO_LONG, MALFORMED, TOO_SLOW
from server.error_response import INVALID_REQUEST, kind_of
from server.http_middleware import WAITING
from server.openenv_compat import SessionCapacityError
from server.problem_middleware import FAILED, STOPPING
from server.workers.relay import UNREACHABLE
from sre_autopilot.errors import InvalidAction, InvalidSettings, SREError
from sre_autopilot.grading import WEIGHTS
from sre_autopilot.models import RewardBreakdown, ServiceMetrics, SREObservation, TraceEdge
from sre_autopilot.policies import POLICY_NAMES
from sre_autopilot.world import signals
from sre_autopilot.world.topology import JOURNEY_SHARES, Service
from sre_autopilot.world.vocabulary import ActionName, FaultKind, FlapCause, Tier
from tests.docs.documents import document, documents
from tests.docs.makefile import RECIPES

OPENENV_ROUTES = {"GET /list_environments"}
"""OpenEnv's own, of no use here: not documented."""
ERROR_MODULES = {SREError.__module__, errors.__name__}
NEVER_ANSWERED = {
    errors.BackendError,
    errors.CannotListen,
    errors.NotInSession,
    InvalidAction,
    InvalidSettings,
}
"""A failed backend is answered as EpisodeAbandoned, a bad action as INVALID_REQUEST; one class is
of MCP alone, and two end the program."""
STATUSES = (
    *(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
)
LIMITS = (BUSY, HEAD_TOO_LONG, MALFORMED, TOO_SLOW)
OTHER_KINDS = {INVALID_REQUEST, "malformed_json", "wrong_content_type"} | {
    *(problem.error for problem in (*LIMITS, FAILED, STOPPING, UNREACHABLE, WAITING)),
    *map(kind_of, STATUSES),
}
NOT_IN_THE_SCHEMA = {"/ws", "/watch/{session_id}", "GET /web", "GET /docs"}
QUOTED = set().union(*(doc.quoted for doc in documents()))
README, WORLD = document("README.md"), document("docs/world.md")
ARCHITECTURE, RECORDS = document("docs/architecture.md"), document("docs/records.md")
SETTINGS, RESULTS = document("docs/settings.md"), document("docs/results.md")
HTTP_API, TROUBLES = document("docs/http-api.md"), document("docs/troubleshooting.md")
GLOSSARY = document("docs/glossary.md")
GLOSSARY_WORDS = 20


@pytest.mark.parametrize(
    "names", [Service, ActionName, Tier, FaultKind, FlapCause, signals.Outcome]
)
def test_every_name_is_documented(names: type[StrEnum]) -> None:
    assert {*names} <= QUOTED


def test_every_policy_is_in_the_results_and_no_other() -> None:
    cells = [row[0] for row in RESULTS.table("policy")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == {*POLICY_NAMES}


def test_every_setting_is_documented() -> None:
    assert {PREFIX + name.upper() for name in Settings.model_fields} <= SETTINGS.quoted


def test_every_field_of_an_observation_is_in_the_readme_and_no_other() -> None:
    rows = README.table("field")
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert named == SREObservation.model_fields.keys()
    parts = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    for part in (ServiceMetrics, TraceEdge, RewardBreakdown):
        assert part.model_fields.keys() <= parts


def test_every_metric_and_attribute_is_documented() -> None:
    constants = {name: value for name, value in vars(signals).items() if name.isupper()}
    names = {value for value in constants.values() if isinstance(value, str)}
    names -= {signals.METRICS_MEDIA_TYPE}
    assert len(names) > 10
    assert names <= ARCHITECTURE.quoted
    listed = {re.findall(r"`(.+?)`", row[0])[0] for row in ARCHITECTURE.table("name")}
    assert listed <= names


def test_every_control_route_is_documented() -> None:
    routes = {row[0].strip("`").split()[1] for row in ARCHITECTURE.table("route")}
    assert routes == {*signals.ControlRoute}


def test_every_target_is_documented_and_no_other() -> None:
    targets = {row[0].strip("`").split()[1] for row in ARCHITECTURE.table("target")}
    assert targets == RECIPES.keys()


def test_every_impairment_is_in_the_world_and_no_other() -> None:
    assert [row[0].strip("`") for row in WORLD.table("impairment")] == [
        field.name for field in fields(Impairments)
    ]


def test_every_journey_has_its_share() -> None:
    shares = {row[0].strip("`"): row[1] for row in WORLD.table("journey")}
    assert shares == {
        journey: f"{share:.0%}".replace("%", " %") for journey, share in JOURNEY_SHARES.items()
    }


def test_every_action_is_in_the_table_of_deployments() -> None:
    assert {row[0].strip("`") for row in WORLD.table("action")} == {*ActionName}


@pytest.mark.parametrize("doc", [README, WORLD], ids=lambda doc: doc.name)
def test_every_term_of_the_score_is_explained(doc) -> None:
    for term in WEIGHTS:
        assert f"- `{term}`: " in doc.text


def test_errors_that_are_named_exist() -> None:
    cells = [row[0] for row in TROUBLES.table("you see")]
    named = {name for cell in cells for name in re.findall(r"`([A-Z]\w+[a-z])`", cell)}
    assert named >= {"MeshNotReady", "FaultNotInstalled"}
    assert all(hasattr(errors, name) for name in named)


def test_the_kinds_of_lines_of_a_record_are_listed() -> None:
    assert [row[0] for row in RECORDS.table("`type`")] == ["`episode`", "`step`", "`end`"]


def test_every_route_of_the_server_is_documented_and_no_other() -> None:
    listed = {re.findall(r"`(.+?)`", row[0])[0] for row in HTTP_API.table("route")}
    paths = create_app(Settings()).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path in paths for method in paths[path]}
    assert listed - NOT_IN_THE_SCHEMA == {r for r in routes if "env_name" not in r} - OPENENV_ROUTES


def snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_every_kind_of_error_that_clients_get_is_documented_and_no_other() -> None:
    listed = {kind for row in HTTP_API.table("`error`") for kind in re.findall(r"`(\w+)`", row[0])}
    of_the_trees = {cls for cls in SREError.__subclasses__() if cls.__module__ in ERROR_MODULES}
    classes = of_the_trees - NEVER_ANSWERED | {
        *(SessionCapacityError, errors.EpisodeAbandoned, errors.LeaseEnded, errors.SessionLost)
    }
    kinds = {snake_case(cls.__name__) for cls in classes}
    assert listed == kinds | OTHER_KINDS


def test_the_glossary_has_twenty_words_in_order() -> None:
    words = [row[0] for row in GLOSSARY.table("word")]
    assert len(words) == GLOSSARY_WORDS and words == sorted(words)


@pytest.mark.parametrize("name", ["README.md", "docs/quickstart.md"])
def test_first_pages_name_no_cause(name: str) -> None:
    """They are read before one has played."""
    causes = {*FaultKind, *FlapCause} - {FaultKind.NONE}
    assert [cause for cause in causes if cause in document(name).text] == []


def test_pages_that_give_causes_away_warn_at_their_head() -> None:
    assert "gives away" in WORLD.text[:200]
    before, warning, _ = RECORDS.text.partition("with its cause and its cure.**")
    assert warning and not [cause for cause in FlapCause if cause in before]
