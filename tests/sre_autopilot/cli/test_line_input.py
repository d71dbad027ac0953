"""Lines of a person: what they mean, how they may be shortened, and what Tab offers."""

import io

import pytest

from sre_autopilot.cli.line_input import Line, PipedLines, Word, candidates, parse_line
from sre_autopilot.errors import SREError
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName


def line(action, service=None):
    return Line(SREAction(action=action, service_id=service))


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", line(ActionName.WAIT)),
        ("  ", line(ActionName.WAIT)),
        ("wait", line(ActionName.WAIT)),
        ("restart user_db", line(ActionName.RESTART, Service.USER_DB)),
        ("RESTART User_DB", line(ActionName.RESTART, Service.USER_DB)),
        ("res user", line(ActionName.RESTART, Service.USER_DB)),
        ("cb pg", line(ActionName.CIRCUIT_BREAK, Service.PAYMENT_GATEWAY)),
        ("su as", line(ActionName.SCALE_UP, Service.AUTH_SERVICE)),
        ("help", Line(word=Word.HELP)),
        ("q", Line(word=Word.QUIT)),
        ("traces", Line(word=Word.TRACES)),
    ],
)
def test_a_line_means_an_action_or_a_word(text, meaning):
    assert parse_line(text) == meaning


@pytest.mark.parametrize("name", ActionName)
@pytest.mark.parametrize("service", Service)
def test_initials_stand_for_every_name(name, service):
    initials = "".join(part[0] for part in service.split("_"))
    if name is not ActionName.WAIT:
        assert parse_line(f"{name} {initials}") == line(name, service)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("fix user_db", (*ActionName, *Word)),
        ("restart", tuple(Service)),
        ("restart moon", tuple(Service)),
        ("r user_db", (ActionName.RESTART, ActionName.ROLLBACK)),
        ("restart p", (Service.PRODUCT_SERVICE, Service.PAYMENT_GATEWAY)),
        ("restart user_db now", ("ACTION SERVICE", *Word)),
    ],
)
def test_a_line_that_means_nothing_lists_what_would(text, listed):
    with pytest.raises(SREError) as error:
        parse_line(text)
    assert str(error.value).endswith(f"valid values: {', '.join(listed)}")


def test_tab_offers_actions_first_and_services_after_them():
    assert candidates("re", "re") == [f"{ActionName.RESTART} "]
    assert candidates("restart ", "") == [f"{service} " for service in Service]
    assert candidates("restart us", "us") == [f"{Service.USER_DB} "]
    assert len(candidates("", "")) == len(ActionName) + len(Word)


def test_piped_lines_are_echoed_after_their_prompt_and_end(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("wait\n\nhelp"))
    echoed: list[str] = []
    lines = PipedLines(echoed.append)
    assert [lines.read("> ") for _ in range(4)] == ["wait", "", "help", None]
    assert echoed == ["> wait", "> ", "> help", "> "]
