"""The wheel as users meet it: installed elsewhere, run from a folder with clashing names."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.packaging.environments import UserEnvironment

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S, POLL_S = 60.0, 0.1

TRAIN = """
import json, sys
import gymnasium
from sre_autopilot import __version__, make_env

env = gymnasium.make("sre_autopilot:SREAutopilot-v0", tier="hard")
row, info = env.reset(seed=3)
row, reward, terminated, truncated, info = env.step(env.action_space.sample())

with make_env() as world:
    world.reset(seed=3)
    step = world.step({"action": "wait"}).step

import sre_autopilot
print(json.dumps({
    "version": __version__,
    "file": sre_autopilot.__file__,
    "row": row.shape,
    "step": step,
    "clashing": sorted({"models", "client", "server", "services", "policies"} & set(sys.modules)),
}))
"""

TRAIN_MANY = """
import json, warnings
import gymnasium

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for _ in range(2):
        envs = gymnasium.make_vec("sre_autopilot:SREAutopilot-v0", num_envs=4, tier="easy")
rows, info = envs.reset(seed=3)
rows, rewards, terminated, truncated, info = envs.step(envs.action_space.sample())
print(json.dumps({"rows": rows.shape, "warnings": [str(w.message) for w in caught]}))
"""

CONNECT = """
import json, sys
from sre_autopilot import SREAction, SREEnv

with SREEnv(base_url=sys.argv[1]) as env:
    result = env.reset(task_tier="easy", seed=7)
    steps = 0
    while not result.done:
        result = env.step(SREAction(action="wait"))
        steps += 1
server_side = sorted({"fastapi", "fastmcp", "gradio", "openenv.core.env_server"} & set(sys.modules))

from openenv import AutoEnv
print(json.dumps({
    "steps": steps,
    "reward": result.reward,
    "server_side": server_side,
    "auto": AutoEnv.get_env_class("sre-autopilot") is SREEnv,
}))
"""


def environ(**variables: str) -> dict[str, str]:
    """The test's own, less what would let this checkout be imported."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SRE_"))}
    return {**kept, **variables}


def run_script(environment: UserEnvironment, folder: Path, code: str, *arguments: str) -> Any:
    """What a script in the user's folder prints, which is JSON."""
    script = folder / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [environment.python, script, *arguments],
        cwd=folder,
        env=environ(XDG_CACHE_HOME=str(folder / "cache")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_command(environment: UserEnvironment, folder: Path, *arguments: str) -> Any:
    """The command `sre-autopilot`, run to its end in the user's folder."""
    return subprocess.run(
        [environment.script("sre-autopilot"), *arguments],
        cwd=folder,
        env=environ(SRE_BACKEND="simulator"),
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def server(environment: UserEnvironment, folder: Path) -> Iterator[str]:
    """The URL of a server that plays in the simulator."""
    with closing(socket.create_server((LOOPBACK, 0))) as listener:
        port = listener.getsockname()[1]
    command = [str(environment.script("server")), "--host", LOOPBACK, "--port", str(port)]
    variables = environ(SRE_BACKEND="simulator", SRE_METRICS_PORT="0")
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log) as process,
    ):
        try:
            url = f"http://{LOOPBACK}:{port}"
            await_ready(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)


def await_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Returns once the server answers that it is ready."""
    give_up_s = time.monotonic() + START_TIMEOUT_S
    with httpx.Client(trust_env=False) as client:
        while process.poll() is None and time.monotonic() < give_up_s:
            try:
                if client.get(f"{url}/ready").is_success:
                    return
            except httpx.TransportError:
                pass  # it does not listen yet
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_S)
    raise AssertionError("the server did not start")


def test_base_install_trains_in_a_folder_with_clashing_names(
    base: UserEnvironment, project: Path
) -> None:
    outcome = run_script(base, project, TRAIN)
    assert outcome["row"] == [41]
    assert outcome["step"] == 1
    assert outcome["clashing"] == []
    assert Path(outcome["file"]).is_relative_to(base.site_packages)


def test_base_install_trains_many_episodes_at_once_and_warns_of_the_slow_engine(
    base: UserEnvironment, project: Path
) -> None:
    outcome = run_script(base, project, TRAIN_MANY)
    assert outcome["rows"] == [4, 41]
    (warning,) = outcome["warnings"]
    assert "pip install 'openenv-sre-autopilot[sim]'" in warning


def test_base_install_connects_to_a_server_elsewhere(
    base: UserEnvironment, live: UserEnvironment, project: Path, tmp_path_factory: Any
) -> None:
    with server(live, tmp_path_factory.mktemp("elsewhere")) as url:
        outcome = run_script(base, project, CONNECT, url)
    assert outcome["steps"] == 30
    assert 0.0 < outcome["reward"] < 1.0
    assert outcome["server_side"] == []
    assert outcome["auto"]


def test_command_lists_its_subcommands(base: UserEnvironment, project: Path) -> None:
    done = run_command(base, project, "--help")
    assert done.returncode == 0, done.stderr
    assert "evaluate" in done.stdout


def test_command_evaluates_policies_in_the_simulator(base: UserEnvironment, project: Path) -> None:
    arguments = ["--policies", "belief,random", "--tiers", "easy", "--seeds", "2"]
    done = run_command(base, project, "evaluate", *arguments)
    assert done.returncode == 0, done.stderr
    assert "belief" in done.stdout


def test_command_that_needs_an_extra_names_it(base: UserEnvironment, project: Path) -> None:
    done = run_command(base, project, "dev", "calibrate")
    assert done.returncode == 2
    assert "pip install 'openenv-sre-autopilot[eval]'" in done.stderr
