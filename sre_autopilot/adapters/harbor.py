"""Harbor: task folders, one an episode, for agents that work in a terminal.

An agent plays by curl against the task's second service (`harbor_server`). What it gets of the
folder, the text of its instruction and a container with curl, names neither seed nor tier; the
folder's name is a keyed hash, since container engines tell names. The Compose file, which Harbor
reads on the host, names the episode.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sre_autopilot.adapters.tasks import Task
from sre_autopilot.errors import InvalidValue
from sre_autopilot.llm.prompt import BY_JSON, TASK
from sre_autopilot.world.vocabulary import MAX_STEPS, ActionName

INDEX = "tasks.jsonl"
"""Beside the folders: which is which, for those who evaluate."""
IMAGE = "sre-env:latest"
SERVICE, PORT = "sre", 8000
URL = f"http://{SERVICE}:{PORT}"
NAME_DIGITS = 12
EXECUTABLE = 0o755

MANIFEST = """\
schema_version = "1.1"

[task]
name = "sre-autopilot/@NAME@"
description = "Seven services run, something may be broken in them: mend it."
keywords = ["incident-response", "sre"]

[metadata]
category = "operations"

[agent]
timeout_sec = 7200.0
user = "agent"

[verifier]
timeout_sec = 120.0
user = "root"

[environment]
build_timeout_sec = 1200.0
cpus = 1
memory_mb = 2048
storage_mb = 10240
"""

INSTRUCTION = """\
# On call

@GOAL@

You play by HTTP. Each answer is a text.

```bash
curl -s @URL@                           # the goal, and the last window
curl -s @URL@ -d '@WAIT@'   # plays an action, and shows the next window
```

@FORM@

An answer that cannot be read costs its step, too. The episode ends by itself, after @STEPS@ steps
at the latest; then every answer is its score.
Nothing else is asked of you, and no file is read.
"""

DOCKERFILE = """\
# Where the agent works. It has a user of its own, so that it writes no reward.
FROM debian:trixie-slim
RUN apt-get update \\
    && apt-get install --yes --no-install-recommends ca-certificates curl \\
    && rm -rf /var/lib/apt/lists/* \\
    && useradd --create-home agent
WORKDIR /home/agent
"""

COMPOSE = """\
# Harbor reads this on the host: it names the episode, and no agent gets it.
services:
  main:
    environment:
      NO_PROXY: @SERVICE@
      no_proxy: @SERVICE@
    depends_on:
      @SERVICE@:
        condition: service_healthy
  @SERVICE@:
    image: @IMAGE@
    command: @COMMAND@
    environment:
      SRE_BACKEND: @BACKEND@
      SRE_SECRET: "${SRE_SECRET:?16 characters or more, the same for all tasks}"
    expose: ["@PORT@"]
    read_only: true
    tmpfs: ["/tmp"]
    cap_drop: ["ALL"]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 256
    healthcheck:
      test:
        - CMD
        - python
        - -c
        - import urllib.request as u; u.urlopen('http://127.0.0.1:@PORT@/score', timeout=4)
      interval: 2s
      timeout: 5s
      retries: 5
      start_period: 120s
"""

VERIFIER = """\
#!/bin/sh
# The score of the episode as the judged server has graded it; 0.01 where it is not over.
set -eu
url=${SRE_URL:-@URL@} folder=${SRE_REWARD_FOLDER:-/logs/verifier}
curl -fsS --noproxy '*' "$url/result" > "$folder/result.json"
curl -fsS --noproxy '*' "$url/score" > "$folder/reward.txt"
"""

SOLUTION = """\
#!/bin/sh
# A simple engineer, who knows no more than an agent: restarts what is full, and waits otherwise.
set -eu
url=${SRE_URL:-@URL@}
window=$(curl -fsS --noproxy '*' "$url")
while ! printf '%s' "$window" | grep -q 'The episode is over'; do
    answer=$(printf '%s\\n' "$window" | awk -F '[:,] *' '
        NF == 5 && $5 ~ /^[0-9]+$/ && $5 > 85 && $5 > most { most = $5; name = $1 }
        END {
            sub(/!$/, "", name)
            if (name == "") print "{\\"action\\": \\"@WAITING@\\"}"
            else printf "{\\"action\\": \\"@RESTARTING@\\", \\"service_id\\": \\"%s\\"}\\n", name
        }')
    window=$(curl -fsS --noproxy '*' "$url" -d "$answer")
done
printf '%s\\n' "$window"
"""


@dataclass(frozen=True, slots=True)
class HarborOptions:
    """secret: that of the judged servers, SRE_SECRET; folders are named by it. image: holds this
    package and its server. backend: what the episodes are played on, in that image.
    """

    secret: str
    image: str = IMAGE
    backend: str = "process"


def folder_name(task: Task, secret: str) -> str:
    """Of the task's folder: the same for a secret, and not to be guessed without it."""
    digest = hmac.digest(secret.encode(), f"harbor {task.key}".encode(), "sha256")
    return f"{SERVICE}-{digest.hex()[:NAME_DIGITS]}"


def files(task: Task, options: HarborOptions) -> Mapping[str, str]:
    """Text of each file of a task's folder, by its path in it."""
    command = ["python", "-m", f"{__package__}.harbor_server", task.key]
    values = {
        "NAME": folder_name(task, options.secret),
        "GOAL": TASK,
        "FORM": BY_JSON,
        "STEPS": str(MAX_STEPS),
        "URL": URL,
        "SERVICE": SERVICE,
        "PORT": str(PORT),
        "WAIT": json.dumps({"action": ActionName.WAIT}),
        "WAITING": ActionName.WAIT,
        "RESTARTING": ActionName.RESTART,
        # A string of JSON is one of YAML.
        "IMAGE": json.dumps(options.image),
        "BACKEND": json.dumps(options.backend),
        "COMMAND": json.dumps([*command, "--host=0.0.0.0", f"--port={PORT}"]),
    }
    templates = {
        "task.toml": MANIFEST,
        "instruction.md": INSTRUCTION,
        "environment/Dockerfile": DOCKERFILE,
        "environment/docker-compose.yaml": COMPOSE,
        "tests/test.sh": VERIFIER,
        "solution/solve.sh": SOLUTION,
    }
    return {path: _filled(template, values) for path, template in templates.items()}


def write_tasks(out: Path, tasks: Sequence[Task], options: HarborOptions) -> None:
    """Writes a folder for each task into `out`, and INDEX beside them.

    Raises InvalidValue where `out` holds files already, OSError where it cannot be written.
    """
    if out.exists() and any(out.iterdir()):
        raise InvalidValue("out", str(out), "a new folder, or an empty one")
    out.mkdir(parents=True, exist_ok=True)
    lines = []
    for task in tasks:
        name = folder_name(task, options.secret)
        for path, text in files(task, options).items():
            file = out / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="ascii")
            if path.endswith(".sh"):
                file.chmod(EXECUTABLE)
        row = {"name": name, "task": task.key, "tier": task.tier, "split": task.split}
        lines.append(json.dumps(row))
    (out / INDEX).write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def _filled(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template
