"""What may go wrong at the model and at the environment: the lines are there, and in time."""

import re

import pytest

import inference
from sre_autopilot.llm import answer
from sre_autopilot.llm.decision import Decision
from sre_autopilot.llm.limits import FAILURES_IN_A_ROW, TRIES, WINDOWS
from sre_autopilot.llm.prompt import ANSWER_TOKENS, TOKENS_A_CALL, tokens_of
from sre_autopilot.models import SREObservation
from sre_autopilot.world.topology import CALLS, Service
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, MAX_STEPS, ActionName, Tier
from tests.inference import scripted_environment
from tests.inference.scripted_environment import BUSY, VALIDITY_TEXT, Answered
from tests.inference.scripted_model import Reply

WAIT = '{"action": "wait", "service_id": null}'
RESTART = '{"action": "restart", "service_id": "auth_service"}'
ANSWER_S = 1.0
"""Limit of a call where one hangs and the others are answered, whatever else the machine does."""
pytestmark = pytest.mark.anyio


def waiter(stage):
    return stage.player(stage.model(lambda _: Reply(WAIT)))


async def errors_of(stage, player):
    (played,) = (await stage.play(stage.environment(), player, [Tier.EASY])).played
    assert len(played.actions) == MAX_STEPS
    return played.errors


async def test_a_bad_answer_is_repaired(stage):
    scripted = stage.model(lambda number: Reply("restart auth_service" if number == 0 else RESTART))
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert outcome.played[0].actions[0] == "restart(auth_service)"
    assert outcome.played[0].errors[0] == "null"
    repair = scripted.requests[1]["messages"][-1]["content"]
    assert "no JSON object" in repair
    assert all(name in repair for name in (*Service, *ActionName))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the answer is empty"),
        ("I would wait.", "no JSON object"),
        ('{"action": "reboot", "service_id": "user_db"}', "reboot"),
    ],
)
async def test_two_bad_answers_are_a_wait_with_the_reason(stage, text, reason):
    scripted = stage.model(lambda _: Reply(text))
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    (played,) = outcome.played
    assert set(played.actions) == {"wait()"}
    assert all(reason in error for error in played.errors)
    assert len(scripted.requests) == 2 * MAX_STEPS
    assert outcome.results[0].waited == MAX_STEPS


async def test_prose_around_the_answer_is_no_error(stage):
    scripted = stage.model(lambda _: Reply(f"I think:\n```json\n{WAIT}\n```\nDone."))
    assert set(await errors_of(stage, stage.player(scripted))) == {"null"}


async def test_an_action_that_the_world_refuses_is_in_the_line(stage):
    scripted = stage.model(lambda _: Reply(RESTART))
    errors = await errors_of(stage, stage.player(scripted))
    assert errors[:5] == ["null"] * 5
    assert all("restarts of this episode are used" in error for error in errors[5:])


async def test_a_server_error_is_tried_again(stage):
    scripted = stage.model(lambda n: Reply(raw="oops", status=500) if n in {0, 1} else Reply(WAIT))
    assert set(await errors_of(stage, stage.player(scripted))) == {"null"}
    assert stage.clock.sleeps == pytest.approx([1.0, 2.0])


async def test_a_model_that_refuses_the_older_limits_is_asked_by_the_newer(stage):
    def picky(number: int) -> Reply:
        if "max_tokens" in scripted.requests[number]:
            return Reply(raw='{"error": {"message": "use max_completion_tokens"}}', status=400)
        return Reply(WAIT)

    scripted = stage.model(picky)
    assert set(await errors_of(stage, stage.player(scripted))) == {"null"}
    assert stage.clock.sleeps == []
    asked = [request.get("max_completion_tokens") for request in scripted.requests]
    assert asked == [None] + [ANSWER_TOKENS] * (len(asked) - 1)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw="oops", status=500),
        Reply(raw="<html>not JSON</html>"),
        Reply(raw=""),
        Reply(raw="[]"),
        Reply(raw='{"choices": []}'),
        Reply(raw='{"choices": [{"message": "hello"}]}'),
        Reply(raw='{"choices": [{"message": {"content": "x"}}], "usage": [1]}'),
        Reply(raw="[" * 100_000),
        Reply(raw="<html>hello</html>", headers={"content-type": "text/html"}),
    ],
)
async def test_an_endpoint_that_answers_nonsense_is_given_up(stage, reply):
    scripted = stage.model(lambda _: reply)
    errors = await errors_of(stage, stage.player(scripted))
    allowed = FAILURES_IN_A_ROW
    assert len(scripted.requests) == allowed * TRIES
    assert all(error.startswith("model unreachable: ") for error in errors[allowed:])
    assert "null" not in errors


async def test_a_refused_token_is_not_tried_twice_a_step_and_not_shown(stage):
    refusal = '{"error": {"message": "wrong key secret-token"}}'
    scripted = stage.model(lambda _: Reply(raw=refusal, status=401))
    errors = await errors_of(stage, stage.player(scripted))
    assert len(scripted.requests) == FAILURES_IN_A_ROW
    assert "wrong key *" in errors[0] and "secret-token" not in "".join(errors)


async def test_a_model_that_was_gone_is_asked_again_in_the_next_tier(stage):
    dead = FAILURES_IN_A_ROW * TRIES
    scripted = stage.model(lambda n: Reply(raw="oops", status=500) if n < dead else Reply(WAIT))
    tiers = [Tier.EASY, Tier.MEDIUM]
    outcome = await stage.play(stage.environment(), stage.player(scripted), tiers)
    assert [result.waited for result in outcome.results] == [MAX_STEPS, 0]


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(WAIT, trickle=True)])
async def test_a_call_that_does_not_end_is_ended(stage, reply):
    scripted = stage.model(lambda _: reply)
    errors = await errors_of(stage, stage.player(scripted, call_limit_s=0.1))
    assert errors[0] == "TimeoutError no answer within 0.1 s"
    assert len(scripted.requests) == FAILURES_IN_A_ROW * TRIES


async def test_a_model_that_is_slower_than_the_time_left_is_not_unreachable(stage):
    """The time of the first tier ends within a call; the second tier has time."""

    def slow(number: int) -> Reply:
        if number == 0:
            stage.clock.now += 60.0
            return Reply(hang=True)
        return Reply(WAIT)

    scripted = stage.model(slow)
    player = stage.player(scripted, call_limit_s=ANSWER_S)
    tiers, limit_s = [Tier.EASY, Tier.MEDIUM], 2 * (inference.STEP_S * MAX_STEPS + 50.0)
    outcome = await stage.play(stage.environment(), player, tiers, limit_s)
    assert outcome.played[0].errors[0] == "time is up, the model is asked no more"
    assert {*outcome.played[0].errors[1:], *outcome.played[1].errors} <= {
        "null",
        "time is up, the model is asked no more",
    }
    assert set(outcome.played[1].errors) == {"null"}


@pytest.mark.parametrize("code", ["429", '"429"'])
async def test_an_error_inside_an_answer_waits_as_its_code_says(stage, code):
    refusal = f'{{"error": {{"message": "Rate limit exceeded", "code": {code}}}}}'
    scripted = stage.model(lambda n: Reply(raw=refusal) if n < 5 else Reply(WAIT))
    assert set(await errors_of(stage, stage.player(scripted))) == {"null"}
    assert stage.clock.sleeps == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0])


async def test_the_message_of_an_error_inside_an_answer_is_shown(stage):
    scripted = stage.model(lambda _: Reply(raw='{"error": {"message": "out of credit"}}'))
    errors = await errors_of(stage, stage.player(scripted))
    assert all("out of credit" in error for error in errors)


async def test_an_answer_in_parts_is_read(stage):
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": RESTART}]
    scripted = stage.model(lambda _: Reply(parts))
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert outcome.played[0].actions[0] == "restart(auth_service)"
    assert len(scripted.requests) == MAX_STEPS


async def test_an_endpoint_that_knows_no_schema_is_asked_for_what_it_knows(stage):
    def picky(number: int) -> Reply:
        kind = scripted.requests[number].get("response_format", {}).get("type")
        if kind is not None:
            return Reply(raw=f'{{"error": {{"message": "{kind} is not supported"}}}}', status=400)
        return Reply(WAIT)

    scripted = stage.model(picky)
    assert set(await errors_of(stage, stage.player(scripted))) == {"null"}
    kinds = [asked.get("response_format", {}).get("type") for asked in scripted.requests]
    assert kinds == ["json_schema", "json_object"] + [None] * MAX_STEPS
    action, service = scripted.requests[0]["response_format"]["json_schema"]["schema"][
        "properties"
    ].values()
    assert action["enum"] == [*ActionName]
    assert service["anyOf"][0]["enum"] == [*Service]
    assert all(asked["max_tokens"] == ANSWER_TOKENS for asked in scripted.requests)


async def test_a_model_that_breaks_the_format_is_asked_for_a_repair(stage):
    refusal = '{"error": {"message": "no JSON", "code": "json_validate_failed"}}'
    scripted = stage.model(lambda n: Reply(raw=refusal, status=400) if n == 0 else Reply(RESTART))
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert outcome.played[0].actions[0] == "restart(auth_service)"
    assert all("json_schema" in asked["response_format"] for asked in scripted.requests)


async def test_a_reader_that_has_gone_leaves_no_session(stage, start):
    """`inference.py | head`: the lines have nowhere to go, the session ends all the same."""
    environment = stage.environment()
    process = start("--base-url", environment.url, "--policy", "heuristic", "--tiers", "easy")
    assert process.stdout.readline().startswith("[START]")
    process.stdout.close()
    _output, errors = process.communicate(timeout=60)
    assert len(environment.closed) == 1
    assert "BrokenPipeError" not in errors and "Traceback" not in errors


async def test_an_endpoint_that_refuses_connections(stage):
    scripted = stage.model(lambda _: Reply(WAIT))
    player = stage.player(scripted)
    scripted.shutdown()
    scripted.server_close()
    errors = await errors_of(stage, player)
    assert errors[-1].startswith("model unreachable: APIConnectionError")


async def test_a_busy_environment_is_waited_for(stage):
    full = BUSY, {"error": "full"}, {"retry-after": "5"}
    environment = stage.environment(lambda path, n: full if path == "/reset" and n < 3 else None)
    outcome = await stage.play(environment, waiter(stage), [Tier.EASY])
    assert stage.clock.sleeps == pytest.approx([5.0] * 3)
    assert outcome.results[0].failure == ""


async def test_a_server_that_is_just_being_restarted_is_waited_for(stage):
    """One kill must not cost the tiers that follow."""

    def cut(path, number):
        if path == "/reset" and 1 <= number < 4:
            raise ConnectionAbortedError

    outcome = await stage.play(stage.environment(cut), waiter(stage), [Tier.EASY, Tier.MEDIUM])
    assert stage.clock.sleeps == pytest.approx([1.0] * 3)
    assert [result.failure for result in outcome.results] == ["", ""]


async def test_a_server_that_never_answered_is_not_waited_for(stage):
    environment = stage.environment()
    environment.shutdown()
    environment.socket.close()
    outcome = await stage.play(environment, waiter(stage), [Tier.EASY])
    assert stage.clock.sleeps == []
    assert "ConnectError" in outcome.results[0].failure


async def test_but_not_for_ever(stage):
    full: Answered = BUSY, {"error": "no_free_session", "detail": "close a session"}, {}
    outcome = await stage.play(stage.environment(lambda *_: full), waiter(stage), [Tier.EASY])
    assert sum(stage.clock.sleeps) <= inference.RESET_S
    assert "close a session" in outcome.results[0].failure
    assert "close a session" in outcome.messages


async def test_an_environment_that_hangs_is_ended(stage, monkeypatch):
    monkeypatch.setattr(inference, "ENVIRONMENT_CALL_S", ANSWER_S)

    def hang(path, number):
        if path == "/step" and number == 2:
            environment.over.wait()

    environment = stage.environment(hang)
    outcome = await stage.play(environment, waiter(stage), [Tier.EASY])
    (played,) = outcome.played
    assert (len(played.actions), played.score) == (2, inference.LOWEST_SCORE)
    assert "TimeoutError" in outcome.results[0].failure


@pytest.mark.parametrize(
    "body", [{}, {"observation": {}, "reward": 0.0, "done": False}, [], {"observation": None}]
)
async def test_an_answer_that_is_no_observation(stage, body):
    instead: Answered = 200, body, {}
    environment = stage.environment(lambda path, n: instead if (path, n) == ("/step", 1) else None)
    player = waiter(stage)
    outcome = await stage.play(environment, player, [Tier.EASY, Tier.MEDIUM])
    assert [len(played.actions) for played in outcome.played] == [1, MAX_STEPS]
    assert outcome.results[0].failure and not outcome.results[1].failure


async def test_a_policy_that_raises_costs_its_tier_only(stage):
    class Clumsy:
        name = "clumsy"
        privileged = False
        episodes = 0

        def begin(self, seed):
            self.episodes += 1

        async def decide(self, observation, deadline):
            if self.episodes == 1 and observation.step == 4:
                raise ZeroDivisionError("my mistake")
            return Decision(answer.WAIT)

    outcome = await stage.play(stage.environment(), Clumsy(), [Tier.EASY, Tier.MEDIUM])
    assert [len(played.actions) for played in outcome.played] == [4, MAX_STEPS]
    assert "my mistake" in outcome.messages


async def test_a_folder_that_cannot_be_written_costs_nothing(stage, tmp_path):
    (tmp_path / "transcripts").write_text("a file")
    errors = await errors_of(stage, waiter(stage))
    assert set(errors) == {"null"}


async def test_a_server_that_dies_is_the_end_of_every_tier(stage):
    """The line is cut in the third step, then nothing listens."""

    def die(path, number):
        if path == "/step" and number == 2:
            environment.socket.close()
        if environment.socket.fileno() < 0:
            raise ConnectionAbortedError

    environment = stage.environment(die)
    outcome = await stage.play(environment, waiter(stage), [*DEFAULT_TIERS])
    assert [len(played.actions) for played in outcome.played] == [2, 0, 0]
    assert not any(played.success for played in outcome.played)
    assert "easy failed: ConnectionError: /step" in outcome.messages
    assert 0 < sum(stage.clock.sleeps) <= 2 * inference.RESET_S


def worst_observation(step: int) -> SREObservation:
    """Everything as long as it can get: five digits, all broken, all edges failing."""
    metrics = {"latency_p99": 1234.5, "error_rate": 1.0, "cpu_pct": 100.0, "memory_pct": 100.0}
    edges = [
        {"caller": c, "callee": e, "calls": 99, "error_rate": 1.0, "latency_p99": 1234.5}
        for c, callees in CALLS.items()
        for e in callees
    ]
    terms = ("sla_compliance", "cost_penalty", "downtime_penalty", "resolution_bonus", "total")
    return SREObservation.model_validate(
        {
            "metrics": dict.fromkeys(Service, metrics),
            "dependency_graph": CALLS,
            "trace_edges": edges,
            "action_history": [],
            "step": step,
            "sla_status": dict.fromkeys(Service, False),
            "reward_hint": 0.0,
            "reward_breakdown": dict.fromkeys(terms, 0.0),
            "last_action_error": "inventory_db: standby busy, it is starting for a scale_up " * 5,
        }
    )


async def test_the_worst_question_and_its_repair_stay_within_the_budget(stage):
    bad = '{"action": "restart", "service_id": "' + "x9!" * 200 + '"}'
    scripted = stage.model(lambda _: Reply(bad))
    good = '{"action": "circuit_break", "service_id": "payment_gateway"}'
    player = stage.player(scripted)
    player.begin(1)
    for step in range(9):
        scripted.script = lambda n, step=step: Reply(good if step < 7 else bad)
        await player.decide(worst_observation(step), stage.clock() + 60)
    assert len(scripted.requests) == 7 + 2 * 2
    for asked in scripted.requests:
        text = "".join(message["content"] for message in asked["messages"])
        assert tokens_of(text) + asked["max_tokens"] <= TOKENS_A_CALL
        assert len(text) / 3 + asked["max_tokens"] <= TOKENS_A_CALL
        assert all(service in text for service in Service)
    assert "100" in text and "payment_gateway" in text


async def test_an_ordinary_question_shows_the_trends(stage):
    scripted = stage.model(lambda _: Reply(WAIT))
    await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    prompt = scripted.requests[20]["messages"][1]["content"]
    rows = re.findall(r"^\w+!?: ([-\d ]+), ([-\d ]+), ([-\d ]+), ([-\d ]+)$", prompt, re.M)
    assert len(rows) == len(Service)
    assert {len(trend.split()) for row in rows for trend in row} <= {2, WINDOWS}


async def test_the_validity_of_a_score_is_the_servers_word(stage):
    outcome = await stage.play(stage.environment(), waiter(stage), [Tier.EASY])
    assert outcome.results[0].validity == VALIDITY_TEXT


async def test_a_server_that_does_not_say_whether_a_score_is_valid_costs_nothing(
    stage, monkeypatch
):
    monkeypatch.setattr(scripted_environment, "VALIDITY_TEXT", None)
    outcome = await stage.play(stage.environment(), waiter(stage), [Tier.EASY])
    assert outcome.results[0].failure == ""
    assert outcome.results[0].validity == "the server does not say"
