"""Episodes on servers elsewhere: policies act here, the worlds are there, records come back.

A server that dies, or has no free session, rests for a while, and its episode is played again on
another one. On the simulator an episode is the same on every server, to the bit.
"""

import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from orchestrator.validation import parse_id
from sre_autopilot import grading
from sre_autopilot.errors import InvalidValue
from sre_autopilot.evaluation.results import Result
from sre_autopilot.evaluation.run import MAX_PLAYS, Job
from sre_autopilot.loopback import client_options
from sre_autopilot.models import SREObservation
from sre_autopilot.policies import Policy, brief, load_policy, weights_of
from sre_autopilot.world.close_codes import CloseCode
from sre_autopilot.world.vocabulary import WORLD_VERSION

TRIES_A_SERVER = 3
REST_S = 1.0
FULL_TIMEOUT_S = 600.0
"""How long an episode waits for a free session."""
CALL_TIMEOUT_S = 120.0
"""A reset of a real mesh and a window take seconds; a server that is silent for longer is dead."""
UNREACHABLE = (OSError, WebSocketException, httpx.TransportError)
FULL = "CAPACITY_REACHED"
"""Code of the error that a socket gets where all sessions are in use."""
FIELD = "workers"


class ServerRefused(RuntimeError):
    """A server would not play what it was asked for."""


class ServerFull(RuntimeError):
    """A server has no free session: one will be free when an episode ends."""


class ServersGone(RuntimeError):
    """No server played the episode, though each was tried several times."""


UNREADABLE = (
    httpx.HTTPError, httpx.InvalidURL, ServerRefused, ValueError, KeyError, TypeError
)  # fmt: skip
"""What a URL that is none, or a server of something else, may raise."""


@dataclass
class _Server:
    url: str
    playing: int = 0
    rests_until: float = 0.0


class Servers:
    """Where `run` plays, in place of local meshes.

    urls: of the servers, each with records (SRE_RECORD_DIR).
    record_dir: the records are kept here too.
    token: of judged servers, for their records.
    """

    def __init__(self, urls: Sequence[str], record_dir: Path, token: str | None = None) -> None:
        self._servers = [_Server(url.rstrip("/")) for url in urls]
        self._record_dir = record_dir
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._turn = threading.Condition()

    def check(self) -> str:
        """The backend that all of them play on. Raises InvalidValue, which names the server."""
        backends = {server.url: self._backend_of(server.url) for server in self._servers}
        if len(set(backends.values())) != 1:
            raise InvalidValue(FIELD, str(backends), "servers of one backend")
        return next(iter(backends.values()))

    def play(self, job: Job) -> Result:
        """Plays one episode, up to MAX_PLAYS times until its score can be trusted.

        Raises ServersGone, ServerRefused, and InvalidValue for a policy that reads the truth.
        """
        for plays in range(1, MAX_PLAYS + 1):
            policy = load_policy(job.policy)
            record = self._record(job, policy)
            result = Result.of(record, job.policy, plays, weights_of(policy))
            if result.counts:
                break
        return result

    def close(self) -> None:
        """Sessions end with their episodes: there is nothing to close."""

    def _record(self, job: Job, policy: Policy) -> grading.EpisodeRecord:
        if policy.privileged:
            raise InvalidValue("policy", job.policy, "one that does not read the truth")
        error: Exception | None = None
        tries, last_s = 0, time.monotonic() + FULL_TIMEOUT_S
        while tries < TRIES_A_SERVER * len(self._servers) and time.monotonic() < last_s:
            server = self._take()
            try:
                return self._played(server.url, policy, job)
            except (ServerFull, *UNREACHABLE) as failure:
                error = failure
                tries += not isinstance(failure, ServerFull)
                server.rests_until = time.monotonic() + REST_S
            finally:
                self._give_back(server)
        raise ServersGone(f"no server played {job}; the last one: {error}") from error

    def _take(self) -> _Server:
        """The one that plays least, of those that do not rest; waits where all rest."""
        with self._turn:
            while True:
                now = time.monotonic()
                awake = [server for server in self._servers if server.rests_until <= now]
                if awake:
                    server = min(awake, key=lambda server: server.playing)
                    server.playing += 1
                    return server
                self._turn.wait(min(server.rests_until for server in self._servers) - now)

    def _give_back(self, server: _Server) -> None:
        with self._turn:
            server.playing -= 1
            self._turn.notify_all()

    def _played(self, url: str, policy: Policy, job: Job) -> grading.EpisodeRecord:
        episode_id = f"evaluate-{secrets.token_hex(8)}"
        options: dict[str, Any] = {"proxy": None} if client_options(url) else {}
        with connect(
            url.replace("http", "ws", 1) + "/ws",
            max_size=None,
            open_timeout=CALL_TIMEOUT_S,
            additional_headers=self._headers,
            **options,
        ) as socket:
            asked = {"seed": job.seed, "task_tier": job.tier, "policy": policy.name}
            observation = _call(socket, "reset", {**asked, "episode_id": episode_id})
            brief(policy, job.seed)
            while not observation.done:
                action = policy.act(observation).model_dump(mode="json", exclude_none=True)
                observation = _call(socket, "step", action)
            text = self._get(url, f"/records/{episode_id}").text
        record = next(grading.read_episodes(text.splitlines()))
        if record.seed != job.seed:
            raise ServerRefused(f"{url} is judged: it plays other seeds than are asked for")
        self._record_dir.mkdir(parents=True, exist_ok=True)
        path = self._record_dir / f"{parse_id('episode_id', episode_id)}.jsonl"
        path.write_text(text, encoding="ascii")
        return record

    def _backend_of(self, url: str) -> str:
        try:
            environment = self._get(url, "/tasks").json()["environment"]
            version, backend = environment["world_version"], str(environment["backend"])
            keeps_records = self._get(url, "/records?limit=1").json()["kept"]
        except UNREADABLE as error:
            raise InvalidValue(FIELD, url, f"the URL of a server that answers ({error})") from error
        if version != WORLD_VERSION:
            raise InvalidValue(FIELD, url, f"a server of world version {WORLD_VERSION}")
        if not keeps_records:
            raise InvalidValue(FIELD, url, "a server that keeps records: set SRE_RECORD_DIR there")
        return backend

    def _get(self, url: str, path: str) -> httpx.Response:
        options = client_options(url)
        with httpx.Client(timeout=CALL_TIMEOUT_S, headers=self._headers, **options) as client:
            answer = client.get(url + path)
        if not answer.is_success:
            raise ServerRefused(f"{url}{path}: {answer.status_code} {answer.text[:200]}")
        return answer


def _call(socket: ClientConnection, kind: str, data: Mapping[str, Any]) -> SREObservation:
    try:
        socket.send(json.dumps({"type": kind, "data": data}))
        answer = json.loads(socket.recv(CALL_TIMEOUT_S))
    except ConnectionClosed as error:  # before, or after the error that says the same
        if error.rcvd is not None and error.rcvd.code == CloseCode.TRY_AGAIN_LATER:
            raise ServerFull(error.rcvd.reason) from error
        raise
    data = answer["data"]
    if answer["type"] == "error" and data.get("code") == FULL:
        raise ServerFull(str(data.get("message")))
    if answer["type"] == "error":
        raise ServerRefused(str(data.get("message")))
    fields = {"reward": data.get("reward") or 0.0, "done": bool(data.get("done"))}
    return SREObservation.model_validate({**data["observation"], **fields})
