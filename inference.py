"""A language model, or a shipped policy, plays the tiers over HTTP. Never sees what is hidden.
Standard output holds [START], [STEP] and [END] lines and nothing else. Read it top to bottom.
"""

import asyncio
import json
import os
import re
import signal
import time
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import httpx
import openai
import typer
from openai.types.chat import ChatCompletionMessageParam as Message
from rich.console import Console
from rich.table import Table

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world import sla
from sre_autopilot.world import vocabulary as world
from sre_autopilot.world.topology import CALLS, Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName, Tier

ENVIRONMENT_NAME = "sre-autopilot"
LOWEST_SCORE = 0.01  # of an unfinished episode: the grader's lowest, since 0 is outside its range
SUCCESS_SCORE = 0.5  # waiting, sweeping and guessing score less where there is a fault
TOKENS_A_CALL, ANSWER_TOKENS = 1000, 120  # free tiers give about 6,000 tokens a minute
WINDOWS, TAKEN, EDGES, QUOTED, LONGEST_ANSWER = 5, 4, 3, 60, 20_000
DECISION_S, CALL_S, BACKOFF_S = 120.0, 40.0, 30.0  # at most; a session's lease is 300 s
TRIES_BY_STATUS = {400: 1, 401: 1, 402: 1, 403: 1, 404: 1, 413: 1, 422: 1, 429: 8}
TRIES, FAILURES_IN_A_ROW, RESET_S, ENVIRONMENT_CALL_S, CLOSE_S, STEP_S = 3, 3, 60.0, 60.0, 5.0, 2.0
BAD_JSON = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
LIMITS: dict[str, Any] = {"max_tokens": ANSWER_TOKENS, "temperature": 0}  # newer models refuse
WAIT = SREAction(action=ActionName.WAIT)
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
Player: TypeAlias = "PolicyPlayer | ModelPlayer"


# ---- Prompt: what a model is told ----------------------------------------------------------------
PRICED = {action: f"{action} (cost {ACTION_COSTS[action]})" for action in ActionName}
SYSTEM = f"""You are the on-call engineer of seven services; something may be broken in them.
Each step: one action, then one window of metrics. Mend the cause early and cheaply, leave healthy
services alone. Score: right cure at the right service 40%, SLA 30%, speed 15%, cost 15%.
SLA: p99 <= {sla.P99_LIMIT_MS:.0f} ms, errors <= {sla.ERROR_RATE_LIMIT:.0%}, as callers see it.
Metrics are noisy and up to 2 windows late; "-" is a lost value.
Calls: {"; ".join(f"{caller}>{','.join(callees)}" for caller, callees in CALLS.items() if callees)}
Actions: {PRICED[ActionName.RESTART]}, at most {world.MAX_RESTARTS}; {PRICED[ActionName.SCALE_UP]},
one more replica after {world.SCALE_UP_STEPS} steps; {PRICED[ActionName.CIRCUIT_BREAK]}, callers
use fallbacks for {world.BREAKER_STEPS} steps; {PRICED[ActionName.ROLLBACK]}, to the last good
release; {PRICED[ActionName.WAIT]}.
Callers of a broken service look broken too. Climbing memory is a leak. Some actions help for a
while only: judge after 4 steps, try another when symptoms return. If all is well, wait.
Answer with one JSON object only: {{"action": "...", "service_id": "..."}} (null to wait)."""
REPAIR = f"""
No valid action: {{}}. Answer with JSON only, keys action and service_id.
action: {", ".join(ActionName)}. service_id: {", ".join(Service)}; null to {ActionName.WAIT}."""


def tokens_of(text: str) -> int:
    """An upper estimate: four letters a token; a digit, a mark, a new line one each."""
    return max(len(re.findall(r"[A-Za-z]{1,4}|[^A-Za-z ]", text)), len(text) // 3)


def one_line(text: object, most: int = 200) -> str:
    return " ".join(re.sub(r"[^!-~]+", " ", str(text)).split())[:most]


def spell(action: SREAction) -> str:
    return f"{action.action}({action.service_id or ''})"


def tell(windows: Sequence[SREObservation], done: Iterable[str], budget: int) -> str:
    """The observations, oldest first, and what was done: as many windows as the budget allows."""
    now = windows[-1]
    worst = sorted(now.trace_edges, key=lambda edge: -edge.error_rate)[:EDGES]
    failing = [f"{e.caller}>{e.callee} {e.error_rate:.0%}" for e in worst if e.error_rate]
    head = f"""step {now.step}/{now.max_steps}, {now.remaining_restarts} restarts left
done: {"; ".join(done) or "nothing"}
refused: {one_line(now.last_action_error or "nothing", QUOTED)}
failing calls: {"; ".join(failing) or "none"}
service (! misses SLA): p99 ms, error %, cpu %, memory %; oldest first"""
    prompt = "\n".join((head, *(_row(service, windows) for service in now.metrics)))
    fits = tokens_of(prompt) <= budget or len(windows) == 1
    return prompt if fits else tell(windows[1:], done, budget)


def _row(service: Service, windows: Sequence[SREObservation]) -> str:
    trends: dict[str, list[str]] = {}
    for name, value in (reading for window in windows for reading in window.metrics[service]):
        scaled = 100 * value if value and name == "error_rate" else value
        trends.setdefault(name, []).append("-" if value is None else f"{scaled:.0f}")
    name = service if windows[-1].sla_status[service] else f"{service}!"
    return f"{name}: {', '.join(map(' '.join, trends.values()))}"


# ---- Parsing: what a model may say ---------------------------------------------------------------
def parse_answer(text: str) -> SREAction:
    """The first JSON object in `text`, whatever is around it. Raises ValueError, in one line."""
    spoken = re.sub(r"<think>.*?(</think>|\Z)", "", text[:LONGEST_ANSWER], flags=re.DOTALL)
    for brace in re.finditer(r"\{", spoken):
        with suppress(ValueError, RecursionError):
            answer = json.JSONDecoder().raw_decode(spoken, brace.start())[0]
            break
    else:
        raise ValueError("no JSON object in the answer" if text.strip() else "the answer is empty")
    try:
        action = SREAction.parse(answer)
    except ValueError as error:
        raise ValueError(one_line(error)) from None
    return WAIT if action.action is WAIT.action else action


# ---- Pacing: when a model may be asked -----------------------------------------------------------
UNIT_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}
NUMBER = r"[0-9]+(?:\.[0-9]+)?"


def seconds(text: str) -> float | None:
    """Seconds of "1.5s", "6m0s", "20ms" or "7"; None for anything else."""
    is_duration = re.fullmatch(rf"(?:{NUMBER}(?:ms|[dhms]))+|{NUMBER}", text.strip())
    parts = re.findall(rf"({NUMBER})(ms|[dhms]|)", text) if is_duration else []
    return sum(float(number) * UNIT_S[unit] for number, unit in parts) if parts else None


def pause_s(headers: Mapping[str, str]) -> float:
    """How long the next call must wait, as the headers of the last answer say."""
    waits = [seconds(retry_after := headers.get("retry-after", "")) or 0.0]
    with suppress(ValueError, OverflowError):
        waits.append(parsedate_to_datetime(retry_after).timestamp() - time.time())
    for kind, needed in (("requests", 1), ("tokens", TOKENS_A_CALL)):
        left = seconds(headers.get(f"x-ratelimit-remaining-{kind}", ""))
        if left is not None and left < needed:
            waits.append(seconds(headers.get(f"x-ratelimit-reset-{kind}", "")) or 0.0)
    return max(waits)


# ---- Players: who decides ------------------------------------------------------------------------
class Decision(NamedTuple):
    """`error` says why a model's answer was replaced by waiting; `calls` go to the transcript."""

    action: SREAction
    error: str | None = None
    calls: Sequence[Mapping[str, Any]] = ()


class PolicyPlayer:
    def __init__(self, name: str) -> None:
        from sre_autopilot import policies  # noqa: PLC0415 - a model needs none of it

        self._policy, self._briefing = policies.load_policy(name), policies.Briefing
        self.name = self._policy.name
        if self._policy.privileged:
            raise ValueError(f"{name} wants the hidden truth, which nobody is told over HTTP")

    def begin(self, seed: int, tier: Tier) -> None:
        self._policy.begin(self._briefing(seed, tier))

    async def decide(self, observation: SREObservation, deadline: float) -> Decision:
        return Decision(self._policy.act(observation))


class ModelPlayer:
    """Asks a model within its limits, repairs one bad answer, waits when there is no good one."""

    def __init__(self, client: openai.AsyncOpenAI, name: str, clock: Clock, sleep: Sleep) -> None:
        self.name, self._client, self._clock, self._sleep = name, client, clock, sleep
        self._ready_at, self._failures, self._last_failure, self._limits = 0.0, 0, "", LIMITS

    def begin(self, seed: int, tier: Tier) -> None:
        """Forgets the last episode; a model that was unreachable gets one more chance."""
        self._windows, self._done = deque[SREObservation](maxlen=WINDOWS), deque[str](maxlen=TAKEN)
        self._failures = min(self._failures, FAILURES_IN_A_ROW - 1)

    async def decide(self, observation: SREObservation, deadline: float) -> Decision:
        self._windows.append(observation)
        decision = await self._think(min(deadline, self._clock() + DECISION_S))
        if decision.action != WAIT:
            self._done.append(f"{observation.step + 1} {spell(decision.action)}")
        return decision

    async def _think(self, deadline: float) -> Decision:
        wrong, calls = "", list[dict[str, Any]]()
        if self._clock() >= deadline:
            return Decision(WAIT, "time is up, the model is asked no more")
        if self._failures >= FAILURES_IN_A_ROW:
            return Decision(WAIT, f"model unreachable: {self._last_failure}")
        try:
            for _ in ("answer", "repair"):
                calls.append(await self._ask(self._messages(wrong), deadline))
                try:
                    return Decision(parse_answer(calls[-1]["answer"]), None, calls)
                except ValueError as error:
                    wrong = str(error)
        except ConnectionError as error:
            self._failures, self._last_failure = self._failures + 1, str(error)
            wrong = self._last_failure
        return Decision(WAIT, wrong, calls)

    def _messages(self, wrong: str) -> list[Message]:
        repair = REPAIR.format(wrong[:QUOTED]) if wrong else ""
        budget = TOKENS_A_CALL - ANSWER_TOKENS - tokens_of(SYSTEM + repair)
        prompt = tell(list(self._windows), self._done, budget)
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt + repair}]

    async def _ask(self, messages: list[Message], deadline: float) -> dict[str, Any]:
        """Question, answer and cost. Raises ConnectionError, at `deadline` at the latest."""
        ready_at, why, tries = self._ready_at, "rate limit", 0
        while ready_at < deadline:
            await self._sleep(max(0.0, ready_at - self._clock()))
            try:
                return await self._call(messages, deadline)
            except (openai.OpenAIError, TimeoutError, *BAD_JSON) as error:
                why = one_line(f"{type(error).__name__} {error}").replace(self._client.api_key, "*")
                tries += 1
                if isinstance(error, openai.BadRequestError) and self._limits is LIMITS:
                    self._limits = {"max_completion_tokens": ANSWER_TOKENS}
                    continue
                response = getattr(error, "response", None)
                status, headers = (response.status_code, response.headers) if response else (0, {})
                early_s = max(pause_s(headers), min(2.0 ** (tries - 1), BACKOFF_S))
                ready_at = self._ready_at = self._clock() + early_s
                if tries >= TRIES_BY_STATUS.get(status, TRIES):
                    raise ConnectionError(why) from error
        raise ConnectionError(f"{why}; next try possible in {ready_at - self._clock():.0f} s")

    async def _call(self, messages: list[Message], deadline: float) -> dict[str, Any]:
        asked = self._clock()
        async with asyncio.timeout(min(CALL_S, deadline - asked)):  # the client limits reads only
            raw = await self._client.chat.completions.with_raw_response.create(
                model=self.name, messages=messages, **self._limits
            )
        self._ready_at = self._clock() + pause_s(raw.headers)
        body = json.loads(raw.text)
        answer, usage = body["choices"][0]["message"].get("content"), body.get("usage") or {}
        cost = {"latency_s": round(self._clock() - asked, 3), "tokens": usage.get("total_tokens")}
        self._failures = 0
        return {"messages": messages, "answer": str(answer or ""), **cost}


# ---- Run: tier after tier ------------------------------------------------------------------------
@dataclass
class Result:
    tier: Tier
    score: float = LOWEST_SCORE  # as long as nothing else is known
    rewards: list[float] = field(default_factory=list)
    waited: int = 0
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
        except Exception as error:  # noqa: BLE001 - a plugged-in policy may raise anything
            result.failure = one_line(f"{type(error).__name__}: {error}")
            self.console.print(f"{tier} failed: {result.failure}", markup=False)
        finally:
            print(result.end_line(), flush=True)
            with suppress(httpx.HTTPError):
                await self.http.delete(f"/sessions/{self.name}-{tier}", timeout=CLOSE_S)
        return result

    async def _episode(self, result: Result, share_s: float) -> float:
        """Plays until done, returns the score. The last of the time is kept for waiting."""
        tier, deadline = result.tier, self.clock() + share_s
        session = {"session_id": f"{self.name}-{tier}"}
        asked = {"task_tier": tier, "seed": self.seed, "policy": self.player.name}
        now = await self._post("/reset", session | asked, RESET_S)
        self.player.begin(self.seed, tier)
        while not now.done:
            decide_by = deadline - STEP_S * (now.max_steps - now.step)
            decision = await self.player.decide(now, decide_by)
            action = decision.action.model_dump(mode="json")
            now = await self._post("/step", session | action)
            result.rewards.append(now.reward)
            result.waited += decision.error is not None
            error = one_line(decision.error or now.last_action_error or "null")
            line = f"step={now.step} action={spell(decision.action)} reward={now.reward:.2f}"
            print(f"[STEP] {line} done={str(now.done).lower()} error={error}", flush=True)
            thoughts = (one_line(call["answer"], QUOTED) for call in decision.calls)
            self.console.print(tier, line, *thoughts, markup=False, highlight=False)
            played = {"step": now.step, "action": action, "error": error, "reward": now.reward}
            self._record(tier, played | {"calls": decision.calls})
        return now.reward

    async def _post(self, path: str, body: dict[str, Any], patience_s: float = 0) -> SREObservation:
        """Waits so long for a server that says it is busy. Raises ConnectionError."""
        give_up = min(self.over, self.clock() + patience_s)
        try:
            while True:
                async with asyncio.timeout(min(ENVIRONMENT_CALL_S, self.over - self.clock())):
                    answer = await self.http.post(path, json=body)
                early_s = pause_s(answer.headers) or 1.0
                busy = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
                if not busy or self.clock() + early_s >= give_up:
                    break
                await self.sleep(early_s)
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"HTTP {answer.status_code} {answer.text}")
            reply = answer.json()
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
def choose(env: Mapping[str, str], policy: str | None, model: str | None) -> Player:
    """The policy asked for; else the model that is named; else the shipped runbook."""
    base_url, name = env.get("API_BASE_URL"), model or env.get("MODEL_NAME")
    if policy or not (base_url or model):
        return PolicyPlayer(policy or "runbook")
    if not base_url or not name:
        raise ValueError("a model needs both API_BASE_URL and MODEL_NAME (or --model)")
    key = next(filter(None, map(env.get, ("HF_TOKEN", "API_KEY", "OPENAI_API_KEY"))), "none")
    client = openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=CALL_S)
    return ModelPlayer(client, name, time.monotonic, asyncio.sleep)


def describe_server(base_url: str) -> str:
    """Name and version of the server; where none answers, how to start one."""
    with suppress(httpx.HTTPError, httpx.InvalidURL, *BAD_JSON):
        return "server: {name} {version}".format(**httpx.get(f"{base_url}/metadata").json())
    return "no server answers there; start one: sre-autopilot serve, or make serve"


def main(
    *,
    base_url: Annotated[str, typer.Option(envvar="SRE_BASE_URL")] = "http://localhost:8000",
    tiers: Annotated[str, typer.Option(help="comma-separated")] = ",".join(world.DEFAULT_TIERS),
    seed: Annotated[int, typer.Option(min=0, help="of every episode")] = 7,
    policy: Annotated[str | None, typer.Option(help="name or module:Class, no model")] = None,
    model: Annotated[str | None, typer.Option(help="instead of MODEL_NAME")] = None,
    time_limit_s: Annotated[float, typer.Option(min=1, help="for all tiers")] = 1080,
    transcripts: Annotated[Path, typer.Option(help="folder")] = Path("runs/transcripts"),
) -> None:
    """Plays TIERS with the model of API_BASE_URL, MODEL_NAME, HF_TOKEN, or with a policy."""
    console = Console(stderr=True)
    try:
        player, chosen = choose(os.environ, policy, model), [*map(Tier, tiers.split(","))]
    except ValueError as error:
        raise typer.BadParameter(f"{error} (tiers: {', '.join(Tier)})") from error
    why = "" if policy or "API_BASE_URL" in os.environ else ", since API_BASE_URL is not set"
    console.print(f"{player.name} plays at {base_url}{why}; {describe_server(base_url)}")
    http, over = httpx.AsyncClient(base_url=base_url, timeout=None), time.monotonic() + time_limit_s
    try:
        results = asyncio.run(Run(player, http, seed, over, transcripts, console).play(chosen))
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None
    table = Table("tier", "score", "steps", "waited for want of an answer", "failure")
    for r in results:
        table.add_row(r.tier, f"{r.score:.3f}", f"{len(r.rewards)}", f"{r.waited}", r.failure)
    console.print(table)
    raise typer.Exit(int(any(result.failure for result in results)))


if __name__ == "__main__":
    typer.run(main)
