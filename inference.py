"""A language model, or a shipped policy, plays the tiers over HTTP. Never sees what is hidden.
Standard output holds [START], [STEP] and [END] lines and nothing else. Read it top to bottom.
"""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import httpx
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sre_autopilot.llm.decision import BAD_JSON, Clock, Decision, Sleep
from sre_autopilot.llm.limits import CALL_S
from sre_autopilot.llm.pacing import pause_s
from sre_autopilot.llm.prompt import QUOTED, one_line, spell
from sre_autopilot.loopback import client_options, make_client
from sre_autopilot.models import SREObservation
from sre_autopilot.world import vocabulary as world
from sre_autopilot.world.vocabulary import Tier

if TYPE_CHECKING:
    from sre_autopilot.llm.player import ModelPlayer

ENVIRONMENT_NAME = "sre-autopilot"
LOWEST_SCORE = 0.01  # of an unfinished episode: the grader's lowest, since 0 is outside its range
SUCCESS_SCORE = 0.5  # waiting, sweeping and guessing score less where there is a fault
RESET_S, ENVIRONMENT_CALL_S, CLOSE_S, STEP_S = 60.0, 60.0, 5.0, 2.0
BUSY = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)  # with Retry-After
UNREACHABLE = (httpx.NetworkError, httpx.RemoteProtocolError)  # killed, or not there yet
Player: TypeAlias = "PolicyPlayer | ModelPlayer"


# ---- Players: who decides ------------------------------------------------------------------------
class PolicyPlayer:
    def __init__(self, name: str | None) -> None:
        from sre_autopilot.policies import DEFAULT_POLICY, brief, load_policy  # noqa: PLC0415

        self._policy, self._brief = load_policy(name or DEFAULT_POLICY), brief
        self.name = self._policy.name
        if self._policy.privileged:
            raise ValueError(f"{self.name} wants the hidden truth, which is not served over HTTP")

    def begin(self, seed: int) -> None:
        self._brief(self._policy, seed)

    async def decide(self, observation: SREObservation, deadline: float) -> Decision:
        return Decision(self._policy.act(observation))


# ---- Run: tier after tier ------------------------------------------------------------------------
@dataclass
class Result:
    tier: Tier
    score: float = LOWEST_SCORE  # as long as nothing else is known
    rewards: list[float] = field(default_factory=list)
    waited: int = 0
    validity: str = "not asked"
    failure: str = "interrupted"

    def end_line(self) -> str:
        success = str(not self.failure and self.score >= SUCCESS_SCORE).lower()
        line = f"[END] success={success} steps={len(self.rewards)} score={self.score:.3f}"
        return f"{line} rewards={','.join(f'{reward:.2f}' for reward in self.rewards)}"


@dataclass
class Run:  # plays tiers one after the other, each in a session of its own
    player: Player
    http: httpx.AsyncClient
    seed: int
    over: float
    transcripts: Path
    console: Console
    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep
    name: str = field(default_factory=lambda: f"inference-{uuid.uuid4().hex}")
    session: str = ""
    answered: bool = False

    async def play(self, tiers: Sequence[Tier]) -> list[Result]:
        """SIGTERM ends it as Ctrl-C does, by a cancellation: what has a [START] gets its [END]."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        loop.add_signal_handler(signal.SIGTERM, lambda: task and task.cancel())
        left = zip(tiers, range(len(tiers), 0, -1), strict=True)
        async with self.http:
            return [await self._tier(tier, (self.over - self.clock()) / n) for tier, n in left]

    async def _tier(self, tier: Tier, share_s: float) -> Result:
        result, name = Result(tier), one_line(self.player.name).replace(" ", "_")
        print(f"[START] task={tier} env={ENVIRONMENT_NAME} model={name}", flush=True)
        try:
            result.score, result.failure = await self._episode(result, share_s), ""
        except BrokenPipeError:
            raise  # `| head`: nobody reads on, and no word is lost on it
        except Exception as error:  # noqa: BLE001 - a plugged-in policy may raise anything
            result.failure = one_line(f"{type(error).__name__}: {error}")
            self.console.print(f"{tier} failed: {result.failure}", markup=False)
        finally:
            try:
                print(result.end_line(), flush=True)
            finally:  # the reader of the lines may be gone; the session ends all the same
                with suppress(httpx.HTTPError):
                    await self.http.delete(f"/sessions/{self.session}", timeout=CLOSE_S)
        return result

    async def _episode(self, result: Result, share_s: float) -> float:
        """Plays until done, returns the score. The last of the time is kept for waiting."""
        tier, deadline = result.tier, self.clock() + share_s
        self.session = f"{self.name}-{tier}"
        asked = {"task_tier": tier, "seed": self.seed, "policy": self.player.name}
        now = await self._post("/reset", asked, RESET_S)
        self.player.begin(self.seed)
        while not now.done:
            decide_by = deadline - STEP_S * (now.max_steps - now.step)
            decision = await self.player.decide(now, decide_by)
            action = decision.action.model_dump(mode="json")
            now = await self._post("/step", action)
            result.rewards.append(now.reward)
            result.waited += decision.error is not None
            error = one_line(decision.error or now.last_action_error or "null")
            line = f"step={now.step} action={spell(decision.action)} reward={now.reward:.2f}"
            print(f"[STEP] {line} done={str(now.done).lower()} error={error}", flush=True)
            thoughts = (one_line(call["answer"], QUOTED) for call in decision.calls)
            self.console.print(tier, line, *thoughts, markup=False, highlight=False)
            played = {"step": now.step, "action": action, "error": error, "reward": now.reward}
            self._record(tier, played | {"calls": decision.calls})
        result.validity = await self._validity()
        return now.reward

    async def _validity(self) -> str:
        """Whether the score can be trusted, in the server's words. Costs no episode."""
        with suppress(httpx.HTTPError, *BAD_JSON):
            asked = {"session_id": self.session}
            answer = await self.http.get("/grader", params=asked, timeout=CLOSE_S)
            return one_line(answer.json()["validity"]["text"])
        return "the server does not say"

    async def _post(self, path: str, body: dict[str, Any], patience_s: float = 0) -> SREObservation:
        """Waits so long for a server that is busy, or is being started. Raises ConnectionError."""
        give_up = min(self.over, self.clock() + patience_s)
        try:
            while True:
                try:
                    async with asyncio.timeout(min(ENVIRONMENT_CALL_S, self.over - self.clock())):
                        sent = body | {"session_id": self.session}
                        answer = await self.http.post(path, json=sent)
                    early_s, again = pause_s(answer.headers) or 1.0, answer.status_code in BUSY
                    self.answered = True
                except UNREACHABLE:
                    early_s, again = 1.0, True
                    if not self.answered or self.clock() + early_s >= give_up:
                        raise  # where none has ever answered, none is being restarted
                if not again or self.clock() + early_s >= give_up:
                    break
                await self.sleep(early_s)
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"HTTP {answer.status_code} {answer.text}")
            reply = answer.json()
            self.session = reply.get("session_id", self.session)  # a judged server names it
            reply = {**reply["observation"], "reward": reply["reward"], "done": reply["done"]}
            return SREObservation.model_validate(reply)
        except (httpx.HTTPError, TimeoutError, *BAD_JSON) as error:
            raise ConnectionError(f"{path}: {type(error).__name__} {error}") from error

    def _record(self, tier: Tier, line: Mapping[str, Any]) -> None:
        with suppress(OSError):  # a folder that cannot be written costs no episode
            self.transcripts.mkdir(parents=True, exist_ok=True)
            with (self.transcripts / f"{self.name}-{tier}.jsonl").open("a") as lines:
                lines.write(json.dumps(line) + "\n")


# ---- Command line --------------------------------------------------------------------------------
def choose(
    env: Mapping[str, str], policy: str | None, model: str | None, call_limit_s: float = CALL_S
) -> Player:
    """The policy asked for; else the model that is named; else the default policy."""
    env = {name: value.strip() for name, value in env.items()}  # secrets often end in a new line
    base_url, name = env.get("API_BASE_URL"), model or env.get("MODEL_NAME")
    if policy or not (base_url or model):
        return PolicyPlayer(policy)
    if not base_url or not name:
        raise ValueError("a model needs both API_BASE_URL and MODEL_NAME (or --model)")
    from sre_autopilot.llm.endpoint import connect  # noqa: PLC0415 - a policy needs none of it
    from sre_autopilot.llm.player import ModelPlayer  # noqa: PLC0415

    key = next(filter(None, map(env.get, ("HF_TOKEN", "API_KEY", "OPENAI_API_KEY"))), "none")
    client = connect(base_url, key, call_limit_s)
    clock, sleep = time.monotonic, asyncio.sleep
    return ModelPlayer(client, name, clock, sleep, call_limit_s=call_limit_s)


def describe_server(base_url: str) -> str:
    """The server's versions and its backend; where none answers, how to start one."""
    with suppress(httpx.HTTPError, httpx.InvalidURL, *BAD_JSON):
        answer = httpx.get(f"{base_url}/tasks", **client_options(base_url)).json()
        text = "server: {name} {version}, world version {world_version}, backend {backend}"
        return text.format(**answer["environment"])
    return "no server answers there; start one: sre-autopilot serve, or make serve"


def main(
    *,
    base_url: Annotated[str, typer.Option(envvar="SRE_BASE_URL")] = "http://localhost:8000",
    tiers: Annotated[str, typer.Option(help="comma-separated")] = ",".join(world.DEFAULT_TIERS),
    seed: Annotated[int, typer.Option(min=0, help="of every episode")] = 7,
    policy: Annotated[str | None, typer.Option(help="name or module:Class, no model")] = None,
    model: Annotated[str | None, typer.Option(help="instead of MODEL_NAME")] = None,
    time_limit_s: Annotated[float, typer.Option(min=1, help="for all tiers")] = 1080,
    call_limit_s: Annotated[
        float, typer.Option(min=1, envvar="MODEL_CALL_LIMIT_S", help="for one answer of the model")
    ] = CALL_S,
    transcripts: Annotated[Path, typer.Option(help="folder")] = Path("runs/transcripts"),
) -> None:
    """Plays TIERS with the model of API_BASE_URL, MODEL_NAME, HF_TOKEN, or with a policy."""
    console = Console(stderr=True)
    try:
        chosen = [*map(Tier, tiers.split(","))]
        player, http = choose(os.environ, policy, model, call_limit_s), make_client(base_url)
    except ValueError as error:
        raise typer.BadParameter(f"{error} (tiers: {', '.join(Tier)})") from error
    why = "" if policy or "API_BASE_URL" in os.environ else ", since API_BASE_URL is not set"
    first = f"{player.name} plays at {base_url}{why}; {describe_server(base_url)}"
    console.print(first, markup=False, highlight=False, soft_wrap=True)
    over = time.monotonic() + time_limit_s
    try:
        results = asyncio.run(Run(player, http, seed, over, transcripts, console).play(chosen))
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None
    table = Table("tier", "score", "validity", "steps", "waited for want of an answer", "failure")
    for r in results:
        failure = escape(r.failure)  # text of others may hold what rich takes for markup
        cells = (r.tier, f"{r.score:.3f}", escape(r.validity), f"{len(r.rewards)}", f"{r.waited}")
        table.add_row(*cells, failure)
    console.print(table)
    raise typer.Exit(int(any(result.failure for result in results)))


if __name__ == "__main__":
    typer.run(main)
