"""What counts as an answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_autopilot.llm.answer import WAIT, parse_answer, text_of
from sre_autopilot.models import SREAction
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import ActionName

RESTART = SREAction(action=ActionName.RESTART, service_id=Service.USER_DB)
TEXT = '{"action": "restart", "service_id": "user_db"}'


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"Sure! The database is slow, so:\n{TEXT}\nGood luck.",
        f"```json\n{TEXT}\n```",
        f"{{thinking}} about it {TEXT}",
        f'<think>perhaps {{"action": "wait"}}</think>{TEXT}',
        f'{TEXT} or {{"action": "wait"}}',
        f'perhaps {{"action": "wait"}}? No.\n</think>\n{TEXT}',
        f'<Thinking>{{"action": "wait"}}</Thinking>{TEXT}',
        f'<reasoning>{{"action": "wait"}}</reasoning> {TEXT} <think>was that right?',
        f"[Reasoning] it is slow.\n[Action] {TEXT}",
        f"<thinking about it> {TEXT}",
        f'{{"thought": "see [thought] above", {TEXT[1:]}',
        f'[THINK]{{"action": "wait"}}[/THINK]{TEXT}',
        f'<think id="1">{{"action": "wait"}}</think >{TEXT}<think id="2">or',
        f"{'<think>hm</think>' * 2_000}{TEXT}",
        '{"reasoning": "nothing certain", "action": "restart", "service_id": "user_db"}',
        '{"service_id":"user_db",\n"action":"restart"}',
    ],
)
def test_the_first_object_counts_whatever_is_around_it(text):
    assert parse_answer(text) == RESTART


@pytest.mark.parametrize("service", ["null", '"user_db"', '"none"', "7"])
def test_waiting_is_on_no_service(service):
    assert parse_answer(f'{{"action": "wait", "service_id": {service}}}') == WAIT
    assert parse_answer('{"action": "wait"}') == WAIT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("restart user_db", "no JSON"),
        ('{"action": "restart", "service_id": "user_db"', "no JSON"),
        ("<think>" + TEXT, "no JSON"),
        ('{"action": "reboot", "service_id": "user_db"}', "unknown action 'reboot'"),
        ('{"action": "restart", "service_id": "mars"}', "unknown service_id 'mars'"),
        ('{"action": "restart"}', "service_id: is missing"),
        ('{"action": "restart", "service_id": null}', "service_id: is missing"),
        ('{"service_id": "user_db"}', "action: is missing"),
        ('{"action": ["restart"], "service_id": "user_db"}', "unknown action"),
        ("{}", "action: is missing"),
        ('{"action":' * 2000, "no JSON"),
        ('{"action": ' + "1" * 5000 + "}", "no JSON"),
    ],
)
def test_a_bad_answer_is_explained_in_one_line(text, said):
    with pytest.raises(ValueError, match=said) as caught:
        parse_answer(text)
    assert str(caught.value) == " ".join(str(caught.value).split())


TEXT_PART = {"type": "text", "text": "so"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("as it is", "as it is"),
        (
            [{"type": "text", "text": '{\n "action"'}, {"type": "text", "text": ': "wait"}'}],
            '{\n "action": "wait"}',
        ),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": "so"},
            ],
            "so",
        ),
        (["odd", 3], ""),
    ],
)
def test_the_parts_of_type_text_are_the_answer(content, text):
    assert text_of(content) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ODD = st.fixed_dictionaries(
    {}, optional={"action": JSON | st.sampled_from(ActionName), "service_id": JSON}
)


@given(st.text() | JSON.map(json.dumps) | ODD.map(json.dumps) | st.text('{}[]":,a1 \n'))
def test_parsing_any_text_gives_an_action_or_a_reason(text):
    try:
        action = parse_answer(text)
    except ValueError as error:
        assert str(error) and "\n" not in str(error)
    else:
        assert action == WAIT or action.service_id is not None


@given(st.sampled_from([a for a in ActionName if a is not WAIT.action]), st.sampled_from(Service))
def test_every_valid_action_is_understood(action, service):
    expected = SREAction(action=action, service_id=service)
    assert parse_answer("so: " + expected.model_dump_json() + " ok") == expected
