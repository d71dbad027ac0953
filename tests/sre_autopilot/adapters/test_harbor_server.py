"""The second service of a Harbor task: an episode as text, played by the scripts of its folder."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml
from fastapi import FastAPI

from server.server_process import free_port
from sre_autopilot.adapters.harbor import HarborOptions, files
from sre_autopilot.adapters.harbor_server import LONGEST_ANSWER_BYTES, LOST, OVER, main, make_app
from sre_autopilot.adapters.rollout import Rollout
from sre_autopilot.adapters.tasks import Task
from sre_autopilot.grading.score import LOWEST
from tests.architecture.source import ROOT
from tests.server.doors import on_a_port, until
from tests.sre_autopilot.adapters import engineer

TASK = Task.parse(engineer.KEY)
SECRET = "a-secret-that-is-long-enough"
FILES = files(TASK, HarborOptions(SECRET))
START_TIMEOUT_S = 60.0


class Begun:
    """The application of an episode that begins with the server, on the server's own loop."""

    def __init__(self) -> None:
        self._rollout, self._app = Rollout(), cast(Any, None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            self._app = make_app(self._rollout, await self._rollout.begin(TASK))
        await self._app(scope, receive, send)


def run_script(path: str, folder: Path, url: str) -> str:
    """What a script of the task's folder prints."""
    file = folder / Path(path).name
    file.write_text(FILES[path])
    variables = {"SRE_URL": url, "SRE_REWARD_FOLDER": str(folder)}
    done = subprocess.run(
        ["sh", str(file)], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_rewards(folder: Path, url: str) -> None:
    """The verifier's files hold what the service says."""
    run_script("tests/test.sh", folder, url)
    result = httpx.get(f"{url}/result", trust_env=False).json()
    assert float((folder / "reward.txt").read_text()) == pytest.approx(result["score"], abs=1e-4)
    assert (folder / "result.json").read_text().startswith('{"score":')


def test_a_whole_episode_is_played_by_the_folder_s_scripts(tmp_path: Path):
    with on_a_port(cast(FastAPI, Begun())) as url, httpx.Client(trust_env=False) as client:
        assert "step 0/" in client.get(url).text and "Mend the cause" in client.get(url).text
        check_rewards(tmp_path, url)
        assert float((tmp_path / "reward.txt").read_text()) == LOWEST
        for words in engineer.FIRST_ANSWERS:
            assert "This was read as" in client.post(url, content=words).text
        end = run_script("solution/solve.sh", tmp_path, url)
        assert "The episode is over" in end
        check_rewards(tmp_path, url)
        engineer.check(client.get(f"{url}/result").json())
        again = client.post(url, content=engineer.WAIT)
        assert (again.status_code, again.text) == (OVER, end)


def answers(calls: Callable[[httpx.AsyncClient, Rollout], Any]) -> Any:
    """What `calls` gives, which has a client of an episode that has begun, and its rollout."""

    async def play() -> Any:
        rollout = Rollout()
        app = make_app(rollout, await rollout.begin(TASK))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sre") as client:
            try:
                return await calls(client, rollout)
            finally:
                await rollout.close()

    return asyncio.run(play())


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{}", b"action=wait", b'{"action": 3}'])
def test_any_body_costs_a_step_and_ends_nothing(body: bytes):
    async def calls(client: httpx.AsyncClient, rollout: Rollout) -> None:
        answer = await client.post("/", content=body)
        assert answer.status_code == 200 and "This was read as" in answer.text
        assert rollout.metrics["steps"] == rollout.metrics["unreadable"] == 1

    answers(calls)


def test_a_body_that_is_too_long_uses_no_step():
    async def calls(client: httpx.AsyncClient, rollout: Rollout) -> None:
        answer = await client.post("/", content=b" " * (LONGEST_ANSWER_BYTES + 1))
        assert answer.status_code == 413 and rollout.metrics["steps"] == 0

    answers(calls)


def test_answers_at_the_same_time_are_played_one_after_the_other():
    async def calls(client: httpx.AsyncClient, rollout: Rollout) -> None:
        posts = [client.post("/", content=engineer.WAIT) for _ in range(3)]
        texts = [answer.text for answer in await asyncio.gather(*posts)]
        assert sorted(text.partition("/")[0] for text in texts) == ["step 1", "step 2", "step 3"]

    answers(calls)


def test_an_episode_that_is_lost_says_so_and_scores_the_least(monkeypatch):
    async def calls(client: httpx.AsyncClient, rollout: Rollout) -> None:
        def lose(_text: str) -> None:
            raise ConnectionError("http://judged: gone")

        monkeypatch.setattr(rollout, "answer", lose)
        answer = await client.post("/", content=engineer.WAIT)
        assert answer.status_code == LOST and "http://judged: gone" in answer.text
        assert float((await client.get("/score")).text) == LOWEST

    answers(calls)


@pytest.mark.parametrize("key", ["hard", "impossible-3"])
def test_a_key_of_no_task_is_refused(key: str, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([key])
    message = capsys.readouterr().err
    assert "hard-17" in message or "easy, medium" in message


@pytest.fixture
def program(tmp_path: Path) -> Iterator[str]:
    """Address of the program of the Compose file, on real processes, as the image would run it."""
    command = yaml.safe_load(FILES["environment/docker-compose.yaml"])["services"]["sre"]["command"]
    port = free_port()
    words = [sys.executable, *command[1:-2], f"--port={port}"]
    variables = {"SRE_BACKEND": "process", "SRE_SECRET": SECRET, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(words, cwd=ROOT, env=os.environ | variables)
    url = f"http://127.0.0.1:{port}"

    def is_there() -> bool:
        assert process.poll() is None, "the program ended"
        with suppress(httpx.TransportError):
            return httpx.get(f"{url}/score", trust_env=False).is_success
        return False

    try:
        until(is_there, START_TIMEOUT_S)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert list(tmp_path.glob("records-*")) == []


@pytest.mark.live
def test_the_program_plays_on_real_processes_behind_a_judged_server(program: str, tmp_path: Path):
    assert "The episode is over" in run_script("solution/solve.sh", tmp_path, program)
    check_rewards(tmp_path, program)
    assert float((tmp_path / "reward.txt").read_text()) > LOWEST
