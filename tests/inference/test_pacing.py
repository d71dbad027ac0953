"""When the model may be asked again; on a clock that jumps."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

import inference
from sre_autopilot.llm.limits import BACKOFF_S
from sre_autopilot.llm.pacing import pause_s, seconds
from sre_autopilot.world.vocabulary import Tier
from tests.inference.scripted_model import Reply

WAIT = '{"action": "wait", "service_id": null}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.5s", 1.5),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400.0),
        ("7", 7.0),
        (" 0.25 ", 0.25),
        ("", None),
        ("soon", None),
        ("-1s", None),
        ("1s later", None),
        ("1e3", None),
        ("nan", None),
        ("1" * 60 + "x", None),
    ],
)
def test_durations(text, expected):
    assert seconds(text) == (None if expected is None else pytest.approx(expected))


@given(st.text() | st.text("0123456789.hms d"))
def test_a_duration_is_never_negative_and_never_fails(text):
    assert (seconds(text) or 0.0) >= 0.0


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_of_a_duration_add_up(hours, minutes, secs, ms):
    parsed_s = seconds(f"{hours}h{minutes}m{secs}s{ms}ms")
    assert parsed_s == pytest.approx(3600 * hours + 60 * minutes + secs + ms / 1000)


def limits(requests, tokens):
    return {
        "x-ratelimit-remaining-requests": str(requests),
        "x-ratelimit-reset-requests": "2m0s",
        "x-ratelimit-remaining-tokens": str(tokens),
        "x-ratelimit-reset-tokens": "7.5s",
    }


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 0.0),
        (limits(5, 9000), 0.0),
        (limits(5, 999), 7.5),
        (limits(0, 9000), 120.0),
        (limits(0, 0), 120.0),
        ({"x-ratelimit-remaining-tokens": "0"}, 0.0),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "tomorrow"}, 0.0),
        ({"retry-after": formatdate(0, usegmt=True)}, 0.0),
        ({"retry-after": "2", **limits(5, 0)}, 7.5),
    ],
)
def test_the_longest_of_what_headers_ask_for(headers, expected):
    assert pause_s(headers) == expected


def test_a_date_to_retry_after_is_understood(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
    assert pause_s({"retry-after": formatdate(1_000_012, usegmt=True)}) == 12.0


@pytest.mark.anyio
async def test_a_player_waits_before_the_call_that_would_be_too_many(stage):
    """No call but those that follow an answer without room pauses, and none is refused."""
    tokens = [6000] * 4 + [500] + [6000] * 5
    scripted = stage.model(lambda number: Reply(WAIT, headers=limits(9, tokens[number % 10])))
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert stage.clock.sleeps == pytest.approx([7.5] * 3, abs=0.1)
    assert len(scripted.requests) == len(outcome.played[0].actions)
    assert set(outcome.played[0].errors) == {"null"}


@pytest.mark.anyio
async def test_a_rate_limit_is_waited_out_as_its_header_says(stage):
    refused = Reply(raw="{}", status=429, headers={"retry-after": "11"})
    scripted = stage.model(lambda number: refused if number in {2, 3} else Reply(WAIT))
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert stage.clock.sleeps == pytest.approx([11.0, 11.0])
    assert set(outcome.played[0].errors) == {"null"}


@pytest.mark.anyio
async def test_pauses_grow_without_a_header(stage):
    refused = Reply(raw="{}", status=429)
    scripted = stage.model(lambda number: refused if number < 6 else Reply(WAIT))
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert stage.clock.sleeps == pytest.approx([1, 2, 4, 8, 16, BACKOFF_S])
    assert outcome.played[0].errors[0] == "null"


@pytest.mark.anyio
async def test_a_limit_for_the_day_is_not_waited_for(stage):
    refused = Reply(raw="{}", status=429, headers={"retry-after": "86400"})
    scripted = stage.model(lambda _: refused)
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert stage.clock.sleeps == []
    assert len(scripted.requests) == 1
    assert all("next try possible in 86" in error for error in outcome.played[0].errors)


@pytest.mark.anyio
async def test_the_time_is_shared_and_what_is_left_is_waited(stage):
    """A tier has 80 s: 60 s for its steps, 20 s for calls of 2 s."""
    clock = stage.clock

    def slow(_number):
        clock.now += 2.0
        return Reply(WAIT)

    def step(path, _number):
        clock.now += inference.STEP_S if path == "/step" else 0.0

    tiers, limit_s = [Tier.EASY, Tier.MEDIUM, Tier.HARD], 240.0
    over = clock() + limit_s
    player = stage.player(stage.model(slow))
    outcome = await stage.play(stage.environment(step), player, tiers, limit_s)
    assert clock() <= over
    for played in outcome.played:
        late = [error for error in played.errors if error.startswith("time is up")]
        assert len(played.actions) - len(late) == 10
        assert played.errors == ["null"] * 10 + late
    assert not any(result.failure for result in outcome.results)


@pytest.mark.anyio
async def test_a_run_without_time_still_has_every_line(stage):
    player = stage.player(stage.model(lambda _: Reply(WAIT)))
    outcome = await stage.play(stage.environment(), player, [Tier.EASY, Tier.HARD], limit_s=0.0)
    assert [(p.tier, p.actions) for p in outcome.played] == [(Tier.EASY, []), (Tier.HARD, [])]
    assert all("TimeoutError" in result.failure for result in outcome.results)
