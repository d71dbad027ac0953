"""The prompt: what a model is asked in each step, within its budget of tokens."""

import re
from collections.abc import Iterable, Mapping, Sequence

from sre_autopilot.models import SREAction, SREObservation
from sre_autopilot.world import sla
from sre_autopilot.world import vocabulary as world
from sre_autopilot.world.topology import CALLS, Service
from sre_autopilot.world.vocabulary import ACTION_COSTS, ActionName

TOKENS_A_CALL, ANSWER_TOKENS = 1000, 120
"""Free tiers of providers give about 6,000 tokens a minute."""
EDGES, QUOTED = 3, 60
EFFECTS: Mapping[ActionName, str] = {
    ActionName.RESTART: f"at most {world.MAX_RESTARTS} an episode",
    ActionName.SCALE_UP: f"one more replica after {world.SCALE_UP_STEPS} steps",
    ActionName.CIRCUIT_BREAK: f"callers use fallbacks for {world.BREAKER_STEPS} steps",
    ActionName.ROLLBACK: "to the last good release",
    ActionName.WAIT: "on no service",
}
"""What a model reads of each action, beside its cost."""
TASK = f"""You are the on-call engineer of seven services; something may be broken in them.
Each step: one action, then one window of metrics. Mend the cause early and cheaply, leave healthy
services alone. Score: right cure at the right service 40%, SLA 30%, speed 15%, cost 15%.
SLA: p99 <= {sla.P99_LIMIT_MS:.0f} ms, errors <= {sla.ERROR_RATE_LIMIT:.0%}, as callers see it.
Metrics are noisy and up to 2 windows late; "-" is a lost value.
Calls: {"; ".join(f"{caller}>{','.join(callees)}" for caller, callees in CALLS.items() if callees)}
Actions: {"; ".join(f"{a} (cost {ACTION_COSTS[a]}), {EFFECTS[a]}" for a in ActionName)}.
Callers of a broken service look broken too. Climbing memory is a leak. Some actions help for a
while only: judge after 4 steps, try another when symptoms return. If all is well, wait."""
BY_JSON = 'Answer with one JSON object only: {"action": "...", "service_id": "..."} (null to wait).'
BY_TOOL = "Call one tool a step, until the episode is over."
SYSTEM = f"{TASK}\n{BY_JSON}"
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
    prompt = _table(windows, [f"done: {'; '.join(done) or 'nothing'}"])
    fits = tokens_of(prompt) <= budget or len(windows) == 1
    return prompt if fits else tell(windows[1:], done, budget)


def tell_window(now: SREObservation) -> str:
    """One observation, for a conversation that holds those before it."""
    return _table([now], [])


def _table(windows: Sequence[SREObservation], done: Iterable[str]) -> str:
    now, order = windows[-1], "; oldest first" if len(windows) > 1 else ""
    worst = sorted(now.trace_edges, key=lambda edge: -edge.error_rate)[:EDGES]
    failing = [f"{e.caller}>{e.callee} {e.error_rate:.0%}" for e in worst if e.error_rate]
    head = (
        f"step {now.step}/{now.max_steps}, {now.remaining_restarts} restarts left",
        *done,
        f"refused: {one_line(now.last_action_error or 'nothing', QUOTED)}",
        f"failing calls: {'; '.join(failing) or 'none'}",
        f"service (! misses SLA): p99 ms, error %, cpu %, memory %{order}",
    )
    return "\n".join((*head, *(_row(service, windows) for service in now.metrics)))


def _row(service: Service, windows: Sequence[SREObservation]) -> str:
    trends: dict[str, list[str]] = {}
    for name, value in (reading for window in windows for reading in window.metrics[service]):
        scaled = 100 * value if value and name == "error_rate" else value
        trends.setdefault(name, []).append("-" if value is None else f"{scaled:.0f}")
    name = service if windows[-1].sla_status[service] else f"{service}!"
    return f"{name}: {', '.join(map(' '.join, trends.values()))}"
