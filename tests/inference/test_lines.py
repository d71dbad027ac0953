"""Good answers: the lines of every tier, what the model is asked, and what is written down."""

import json
import re
import signal

import pytest
from typer import BadParameter, Typer
from typer.testing import CliRunner

import inference
from orchestrator.settings import Settings
from server.app import create_app
from sre_autopilot import grading
from sre_autopilot.llm.prompt import ANSWER_TOKENS, SYSTEM, one_line
from sre_autopilot.policies import DEFAULT_POLICY
from sre_autopilot.simulator.backend import SimulatorBackend
from sre_autopilot.version import __version__
from sre_autopilot.world.topology import Service
from sre_autopilot.world.vocabulary import DEFAULT_TIERS, MAX_STEPS, WORLD_VERSION, Tier
from tests.inference.lines import parse
from tests.inference.scripted_model import Reply
from tests.server.doors import on_a_port

WAIT = '{"action": "wait", "service_id": null}'
RESTART = '{"action": "restart", "service_id": "user_db"}'


def good(number):
    return Reply(RESTART if number % MAX_STEPS == 3 else WAIT)


def test_a_model_plays_every_tier_in_a_process_of_its_own(stage, start, tmp_path):
    environment, scripted = stage.environment(), stage.model(good)
    process = start(
        *("--base-url", environment.url),
        API_BASE_URL=scripted.url,
        MODEL_NAME="some model",
        HF_TOKEN="secret-token",
    )
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    played = parse(stdout)
    assert [p.tier for p in played] == [*DEFAULT_TIERS]
    assert {p.player for p in played} == {"some_model"}
    assert all(p.actions[3] == "restart(user_db)" for p in played)
    assert all(p.actions.count("wait()") == len(p.actions) - 1 for p in played)
    assert all(p.score == pytest.approx(p.rewards[-1], abs=0.006) for p in played)
    assert len(environment.closed) == len(set(environment.closed)) == len(DEFAULT_TIERS)
    assert {r["authorization"] for r in scripted.requests} == {"Bearer secret-token"}
    assert "secret-token" not in stdout + stderr
    for tier, p in zip(DEFAULT_TIERS, played, strict=True):
        assert re.search(rf"{tier}\D+{p.score:.3f}", stderr)
        (transcript,) = (tmp_path / "transcripts").glob(f"*-{tier}.jsonl")
        lines = [json.loads(line) for line in transcript.read_text().splitlines()]
        assert [line["step"] for line in lines] == [*range(1, len(p.actions) + 1)]
        assert lines[3]["calls"][0]["answer"] == RESTART
        assert lines[3]["action"] == json.loads(RESTART)
        assert lines[3]["calls"][0]["tokens"] == 720
        assert lines[3]["calls"][0]["latency_s"] >= 0
        assert lines[3]["calls"][0]["messages"][0]["content"] == SYSTEM
        assert lines[-1]["reward"] == pytest.approx(p.score, abs=0.0006)
        assert "secret-token" not in transcript.read_text()


def test_without_a_model_the_default_policy_plays_and_says_so(stage, start):
    environment = stage.environment()
    process = start("--base-url", environment.url, "--tiers", "easy", "--seed", "4")
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    (played,) = parse(stdout)
    assert played.player == DEFAULT_POLICY
    assert played.success and played.score >= inference.SUCCESS_SCORE
    assert f"{DEFAULT_POLICY} plays" in stderr and "API_BASE_URL is not set" in stderr
    path, asked = environment.calls[0]
    assert (path, asked["task_tier"], asked["seed"]) == ("/reset", "easy", 4)
    assert asked["policy"] == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (["--policy", "oracle"], {}, "hidden truth"),
        (["--policy", "genius"], {}, "runbook"),
        (["--tiers", "impossible"], {}, "medium"),
        (["--model", "some"], {}, "API_BASE_URL"),
        ([], {"API_BASE_URL": "http://127.0.0.1:1"}, "MODEL_NAME"),
    ],
)
def test_a_wrong_argument_is_named_and_starts_nothing(monkeypatch, arguments, environ, said):
    for variable in ("API_BASE_URL", "MODEL_NAME"):
        monkeypatch.delenv(variable, raising=False)
    command = Typer(add_completion=False)
    command.command()(inference.main)
    ended = CliRunner(env=environ).invoke(command, arguments)
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert said in ended.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_tier_with_its_line(stage, start, number, code):
    environment = stage.environment()
    scripted = stage.model(lambda number: Reply(WAIT, hang=number == 2))
    process = start(*("--base-url", environment.url), API_BASE_URL=scripted.url, MODEL_NAME="m")
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(number)
    rest, stderr = process.communicate()
    assert process.returncode == code, stderr
    (played,) = parse("".join(lines) + rest)
    assert (played.success, len(played.actions)) == (False, 2)
    assert played.score == inference.LOWEST_SCORE
    assert len(environment.closed) == 1


@pytest.mark.anyio
async def test_the_prompt_holds_observations_and_actions(stage):
    scripted = stage.model(good)
    outcome = await stage.play(stage.environment(), stage.player(scripted), [Tier.EASY])
    assert outcome.results[0].waited == 0
    asked = scripted.requests[6]
    assert asked["model"] == "scripted"
    assert asked["max_tokens"] == ANSWER_TOKENS
    assert [m["role"] for m in asked["messages"]] == ["system", "user"]
    prompt = asked["messages"][1]["content"]
    assert prompt.startswith("step 6/30, 4 restarts left\ndone: 4 restart(user_db)\n")
    assert all(re.search(rf"^{service}!?: ", prompt, re.M) for service in Service)
    text = json.dumps(asked["messages"])
    assert not any(word in text for word in ("single_oom", "seed", "easy"))


def test_first_line_names_server_backend_and_versions_before_any_call(start):
    app = create_app(Settings(backend=SimulatorBackend.name, metrics_port=0))
    with on_a_port(app) as url:
        process = start("--base-url", url, "--tiers", Tier.EASY, "--policy", "random")
        _stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    first = stderr.splitlines()[0]
    assert first == (
        f"random plays at {url}; server: {inference.ENVIRONMENT_NAME} {__version__}, "
        f"world version {WORLD_VERSION}, backend {SimulatorBackend.name}"
    )


def test_first_line_keeps_brackets_and_says_how_to_start_a_server(start):
    url = "http://127.0.0.1:1/[bold]"
    process = start("--base-url", url, "--tiers", Tier.EASY, "--policy", "random")
    _stdout, stderr = process.communicate()
    assert process.returncode == 1, stderr
    first = stderr.splitlines()[0]
    assert first.startswith(f"random plays at {url}; no server answers there")
    assert "sre-autopilot serve" in first


def test_the_lowest_score_is_the_graders():
    assert inference.LOWEST_SCORE == grading.LOWEST


@pytest.mark.parametrize(
    ("text", "line"),
    [("two\nlines\r\n", "two lines"), ("\ud800 \x1b[1m na\u00efve", "[1m na ve"), (" ", "")],
)
def test_text_of_others_is_printed_as_one_plain_line(text, line):
    assert one_line(text) == line


HOSTILE = {
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "all_proxy": "socks://127.0.0.1:1/",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "NO_PROXY": "",
    "SSL_CERT_FILE": "/no/cacert.pem",
}


def test_servers_on_this_machine_are_called_whatever_the_proxies_are(stage, start):
    """The key ends in a new line, as files of secrets do."""
    environment, scripted = stage.environment(), stage.model(lambda _: Reply(WAIT))
    model = {"API_BASE_URL": scripted.url, "MODEL_NAME": "m", "HF_TOKEN": "hf_x\n"}
    process = start("--base-url", environment.url, "--tiers", Tier.EASY, **model, **HOSTILE)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    (played,) = parse(stdout)
    assert set(played.errors) == {"null"}
    assert {request["authorization"] for request in scripted.requests} == {"Bearer hf_x"}


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        (("--base-url", "http://sre.invalid", "--policy", "heuristic"), {}),
        ((), {"API_BASE_URL": "http://model.invalid/v1", "MODEL_NAME": "m", "HF_TOKEN": "hf_x"}),
    ],
    ids=["of the server", "of the model"],
)
def test_a_proxy_that_cannot_be_used_is_said_without_a_traceback(start, arguments, model):
    process = start(*arguments, **model, **HOSTILE)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (2, "")
    assert "Traceback" not in stderr and "ALL_PROXY" in stderr


@pytest.mark.parametrize(("option", "limit_s"), [((), 7.0), (("--call-limit-s", "8"), 8.0)])
def test_an_answer_may_take_as_long_as_is_set(monkeypatch, option, limit_s):
    """By the variable, or by the option, which comes first."""
    limits: list[float] = []

    def player(*_arguments, call_limit_s):
        limits.append(call_limit_s)
        raise BadParameter("enough")

    monkeypatch.setattr("sre_autopilot.llm.player.ModelPlayer", player)
    command = Typer(add_completion=False)
    command.command()(inference.main)
    model = {"API_BASE_URL": "http://127.0.0.1:1", "MODEL_NAME": "m", "HF_TOKEN": "hf_x"}
    ended = CliRunner(env={**model, "MODEL_CALL_LIMIT_S": "7"}).invoke(command, option)
    assert "enough" in ended.stderr
    assert limits == [limit_s]
